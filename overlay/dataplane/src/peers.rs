// SPDX-License-Identifier: Apache-2.0
//! The objects of the peers between the words of [`topology`] and those of [`net`]: dumps one
//! way, requests the other.

use net::{FdbEntry, Mac, Neighbour, Request, RouteEntry, Rtnl};
use nix::errno::Errno;
use topology::{Held, HeldFdbEntry, HeldNeighbour, HeldRoute, Op, PROTOCOL};

use crate::{Action, Failure, Report};

/// `RT_TABLE_MAIN` of linux/rtnetlink.h.
pub(crate) const MAIN: u32 = 254;

/// The routes of the main table of both families, whoever made them.
pub(crate) fn routes(rtnl: &Rtnl) -> Result<Vec<HeldRoute>, net::Error> {
    let entries = rtnl.route_entries(None, None)?;
    let main = entries
        .iter()
        .filter(|entry| entry.route.table == Some(MAIN));
    Ok(main.map(held_route).collect())
}

/// What a device holds besides routes.
pub(crate) struct OnDevice {
    device: u32,
    neighbours: Vec<Neighbour>,
    fdb: Vec<FdbEntry>,
}

impl OnDevice {
    /// A dump; empty where there is no device.
    pub(crate) fn dump(rtnl: &Rtnl, device: Option<u32>) -> Result<Self, net::Error> {
        let Some(device) = device else {
            return Ok(Self {
                device: 0,
                neighbours: Vec::new(),
                fdb: Vec::new(),
            });
        };
        let mut fdb = rtnl.fdb(device)?;
        fdb.sort_unstable_by_key(|entry| entry.mac);
        Ok(Self {
            device,
            neighbours: rtnl.neighbours(device)?,
            fdb,
        })
    }

    /// The dump, with routes, in the words of [`topology`].
    pub(crate) fn held(&self, routes: &[HeldRoute]) -> Held {
        let neighbour = |it: &Neighbour| HeldNeighbour {
            address: it.ip,
            mac: Some(topology::Mac(it.mac.octets())),
            permanent: true,
        };
        Held {
            routes: routes.to_vec(),
            neighbours: self.neighbours.iter().map(neighbour).collect(),
            fdb: self.fdb.iter().map(held_fdb_entry).collect(),
        }
    }

    /// Carries requests out, many by one send, in their order.
    pub(crate) fn apply<'a>(
        &self,
        rtnl: &Rtnl,
        ops: impl Iterator<Item = &'a Op>,
        report: &mut Report,
    ) {
        let (mut counted, mut requests) = (Vec::new(), Vec::new());
        for op in ops {
            let begin = requests.len();
            self.translate(op, &mut requests);
            counted.push((op, requests.len() - begin));
        }
        let mut outcomes = rtnl.apply(&requests).into_iter();
        for (op, count) in counted {
            let refusals = outcomes.by_ref().take(count).filter_map(Result::err);
            let refusal = refusals.filter(|error| !is_done(op, error)).last();
            let outcome = refusal.map_or(Ok(()), |error| second_try(rtnl, op, error));
            let outcome = outcome.map_err(|error| Failure::new(object(op), error));
            report.differs(Action::from(op), outcome);
        }
    }

    fn translate(&self, op: &Op, requests: &mut Vec<Request>) {
        requests.push(match op {
            Op::SetFdbEntry(it) => Request::SetFdb(FdbEntry::new(self.device, mac(it.mac), it.dst)),
            Op::DeleteFdbEntry(it) => {
                let entries = self.fdb_entries(mac(it.mac)).iter().copied();
                return requests.extend(entries.map(Request::DeleteFdb));
            }
            Op::SetNeighbour(it) => Request::SetNeighbour(Neighbour {
                link: self.device,
                ip: it.address,
                mac: mac(it.mac),
            }),
            Op::DeleteNeighbour(it) => Request::DeleteNeighbour(Neighbour {
                link: self.device,
                ip: it.address,
                mac: it.mac.map(mac).unwrap_or_default(),
            }),
            Op::AddRoute(it) => Request::AddRoute(route_entry(&(*it).into())),
            Op::ReplaceRoute(it) => Request::ReplaceRoute(route_entry(&(*it).into())),
            Op::DeleteRoute(it) => Request::DeleteRoute(route_entry(it)),
        });
    }

    /// All that the dump showed under a MAC address: it is sorted by it.
    fn fdb_entries(&self, mac: Mac) -> &[FdbEntry] {
        let begin = self.fdb.partition_point(|entry| entry.mac < mac);
        let length = self.fdb[begin..].partition_point(|entry| entry.mac == mac);
        &self.fdb[begin..begin + length]
    }
}

/// Brings a route back into the tunnel that led elsewhere. The kernel takes an IPv6 gateway for
/// on-link only as long as no other link leads to it, and this gateway lies in the destination of
/// the very route that is to be replaced: so that one has to go first.
fn second_try(rtnl: &Rtnl, op: &Op, refusal: net::Error) -> Result<(), net::Error> {
    let Op::ReplaceRoute(wish) = op else {
        return Err(refusal);
    };
    if !(wish.onlink && wish.dst.is_ipv6() && refusal.errno() == Some(Errno::EINVAL)) {
        return Err(refusal);
    }
    let entry = route_entry(&(*wish).into());
    let any_way = RouteEntry {
        route: net::Route {
            priority: Some(wish.metric),
            ..net::Route::to(wish.dst)
        },
        ..entry
    };
    let requests = [Request::DeleteRoute(any_way), Request::AddRoute(entry)];
    rtnl.apply(&requests).into_iter().collect()
}

/// Whether a refusal says that it is done already, by another call like this one.
fn is_done(op: &Op, error: &net::Error) -> bool {
    match op {
        Op::AddRoute(_) => error.is_exists(),
        Op::DeleteRoute(_) | Op::DeleteNeighbour(_) | Op::DeleteFdbEntry(_) => error.is_not_found(),
        Op::SetFdbEntry(_) | Op::SetNeighbour(_) | Op::ReplaceRoute(_) => false,
    }
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

fn mac(mac: topology::Mac) -> Mac {
    Mac::new(mac.0)
}

fn held_fdb_entry(entry: &FdbEntry) -> HeldFdbEntry {
    let plain = *entry == FdbEntry::new(entry.link, entry.mac, entry.dst);
    HeldFdbEntry {
        mac: topology::Mac(entry.mac.octets()),
        dst: plain.then_some(entry.dst),
        permanent: true,
    }
}

/// A route of ours that somebody gave an MTU or the like is shown without its gateway: so it is
/// not as wished.
fn held_route(RouteEntry { route, protocol }: &RouteEntry) -> HeldRoute {
    let plain = route.mtu.is_none() && route.advmss.is_none() && route.source.is_none();
    HeldRoute {
        dst: route.dst,
        gateway: route.gateway.filter(|_| plain || *protocol != PROTOCOL),
        link: route.oif,
        onlink: route.onlink,
        metric: route.priority.unwrap_or(0),
        protocol: *protocol,
    }
}

fn route_entry(held: &HeldRoute) -> RouteEntry {
    RouteEntry {
        route: net::Route {
            gateway: held.gateway,
            oif: held.link,
            onlink: held.onlink,
            priority: Some(held.metric),
            ..net::Route::to(held.dst)
        },
        protocol: held.protocol,
    }
}
