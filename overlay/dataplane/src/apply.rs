// SPDX-License-Identifier: Apache-2.0
//! Requests carried out, and what is made of the kernel's answers.

use net::{Request, RouteEntry, Rtnl};
use nix::errno::Errno;
use topology::{HeldRoute, Op, PROTOCOL, Route};

use crate::peers::{OnDevice, held_route};
use crate::{Action, Error, Failure, Report};

/// Requests that are held in memory at a time, besides those of which they are made.
const AT_ONCE: usize = 1024;

impl OnDevice {
    /// Carries requests out, many by one send, in their order.
    pub(crate) fn apply<'a>(
        &self,
        rtnl: &Rtnl,
        mut ops: impl Iterator<Item = &'a Op>,
        report: &mut Report,
    ) {
        let (mut requests, mut misled) = (Vec::new(), Vec::new());
        loop {
            let some: Vec<_> = ops.by_ref().take(AT_ONCE).collect();
            if some.is_empty() {
                break;
            }
            requests.clear();
            let counts = some.iter().map(|op| self.translate(op, &mut requests));
            let counts: Vec<_> = counts.collect();
            let mut outcomes = rtnl.apply(&requests).into_iter();
            for (op, count) in some.into_iter().zip(counts) {
                let refusals = outcomes.by_ref().take(count).filter_map(Result::err);
                match refusals
                    .filter(|error| !self.is_done(rtnl, op, error))
                    .last()
                {
                    Some(error) if is_misled(op, &error) => misled.push(op),
                    refusal => note(op, refusal, report),
                }
            }
        }
        for some in misled.chunks(AT_ONCE) {
            self.apply_misled(rtnl, some, report);
        }
    }

    /// Carries out what was refused because the gateway's address leads elsewhere: for as long as
    /// that takes, the gateway has a route of its own through the device, which is preferred.
    fn apply_misled(&self, rtnl: &Rtnl, ops: &[&Op], report: &mut Report) {
        let mut requests = Vec::new();
        for op in ops {
            let (Op::AddRoute(wish) | Op::ReplaceRoute(wish)) = op else {
                continue;
            };
            let gateway = RouteEntry {
                route: net::Route {
                    oif: Some(wish.link),
                    priority: Some(1),
                    ..net::Route::to(wish.gateway.into())
                },
                protocol: PROTOCOL,
            };
            requests.push(Request::AddRoute(gateway));
            self.translate(op, &mut requests);
            requests.push(Request::DeleteRoute(gateway));
        }
        let mut outcomes = rtnl.apply(&requests).into_iter();
        for op in ops {
            let of_op = outcomes.by_ref().take(3).nth(1);
            let refusal = of_op.and_then(Result::err);
            let refusal = refusal.filter(|error| !self.is_done(rtnl, op, error));
            note(op, refusal.map(|error| misleading(rtnl, op, error)), report);
        }
    }

    /// Whether a refusal says that it is done already, by another call like this one. Who did not
    /// look cannot know that.
    fn is_done(&self, rtnl: &Rtnl, op: &Op, error: &net::Error) -> bool {
        match op {
            Op::AddRoute(wish) => !self.unseen && error.is_exists() && is_there(rtnl, wish),
            Op::DeleteRoute(_) | Op::DeleteNeighbour(_) | Op::DeleteFdbEntry(_) => {
                error.is_not_found()
            }
            Op::SetFdbEntry(_) | Op::SetNeighbour(_) | Op::ReplaceRoute(_) => false,
        }
    }
}

/// Whether the route is there: what exists may be another's of a kind that is not looked for.
fn is_there(rtnl: &Rtnl, wish: &Route) -> bool {
    let found = rtnl.route_entry(wish.dst.network()).ok().flatten();
    found.is_some_and(|found| held_route(&found) == HeldRoute::from(*wish))
}

/// Whether the kernel refused an IPv6 gateway. It takes one for on-link only if no other link
/// leads to it, be it by a route of another program to a larger network, or by the very route that
/// is to be replaced; default routes do not count (`ip6_route_check_nh_onlink`, net/ipv6/route.c).
fn is_misled(op: &Op, refusal: &net::Error) -> bool {
    match op {
        Op::AddRoute(wish) | Op::ReplaceRoute(wish) => {
            wish.onlink && wish.dst.is_ipv6() && refusal.errno() == Some(Errno::EINVAL)
        }
        _ => false,
    }
}

/// Names the route that even so leads to the gateway.
fn misleading(rtnl: &Rtnl, op: &Op, error: net::Error) -> Error {
    let (Op::AddRoute(wish) | Op::ReplaceRoute(wish)) = op else {
        return error.into();
    };
    match rtnl.route_entry(wish.gateway) {
        Ok(Some(entry)) if is_misled(op, &error) => Error::GatewayElsewhere {
            gateway: wish.gateway,
            route: entry.route.to_string(),
            error,
        },
        _ => error.into(),
    }
}

fn note(op: &Op, refusal: Option<impl Into<Error>>, report: &mut Report) {
    let failure = refusal.map(|error| Failure::new(object(op), error));
    report.differs(Action::from(op), failure.map_or(Ok(()), Err));
}

/// What an error is about.
fn object(op: &Op) -> String {
    match op {
        Op::SetFdbEntry(it) => it.mac.to_string(),
        Op::DeleteFdbEntry(it) => it.mac.to_string(),
        Op::SetNeighbour(it) => it.address.to_string(),
        Op::DeleteNeighbour(it) => it.address.to_string(),
        Op::AddRoute(it) | Op::ReplaceRoute(it) => it.dst.to_string(),
        Op::DeleteRoute(it) => it.dst.to_string(),
    }
}
