// SPDX-License-Identifier: Apache-2.0
//! The host's side: its end of the pair has the gateways' addresses, and a route leads by it to
//! each of the attachment's.

use attachment::End;
use cni::{Code, Error, OrCode};
use ipnetwork::IpNetwork;
use net::{Request, Route, RouteEntry, Rtnl, sysctl};

use crate::plan::Plan;

/// `RTPROT_BOOT` of `linux/rtnetlink.h`, as `ip route` gives it, and the reference plugin.
const PROTOCOL: u8 = 3;

/// Told before the pair has a carrier: what the kernel does then by itself.
pub(crate) fn prepare(end: &End) {
    // The pod must not become the host's router (CVE-2020-10749), and the link-local address, by
    // which the host looks for the pod, must be ready with the pod. Best effort, as on a host
    // without IPv6 there is no such file.
    for key in ["accept_ra", "accept_dad"] {
        let _ = sysctl::ensure(&format!("net/ipv6/conf/{}/{key}", end.name), "0");
    }
}

/// Gives the host's end its addresses and routes, and turns forwarding on.
pub(crate) fn configure(rtnl: &Rtnl, end: &End, plan: &Plan) -> Result<(), Error> {
    for &gateway in &plan.gateways {
        let added = rtnl.add_address(end.index, gateway, true);
        let wish = format_args!("add address {gateway} to {:?}", end.name);
        added.or_code(Code::KERNEL, wish)?;
    }
    let requests: Vec<_> = plan.hosts.iter().map(|host| route(*host, end)).collect();
    for (outcome, host) in rtnl.apply(&requests).into_iter().zip(&plan.hosts) {
        match outcome {
            Err(error) if error.is_exists() => return Err(taken(rtnl, *host)),
            made => made.or_code(Code::KERNEL, format_args!("add the route to {host}"))?,
        }
    }
    for path in plan.layer3.forwarding() {
        sysctl::ensure(path, "1").or_code(Code::KERNEL, "failed to enable forwarding")?;
    }
    Ok(())
}

fn route(host: IpNetwork, end: &End) -> Request {
    let route = Route {
        oif: Some(end.index),
        ..Route::to(host)
    };
    Request::AddRoute(RouteEntry {
        route,
        protocol: PROTOCOL,
    })
}

/// A second route to the same address would let it depend on their order where packets go.
fn taken(rtnl: &Rtnl, host: IpNetwork) -> Error {
    let msg = format!("the host already has a route to {host}");
    let error = Error::new(Code::CONFLICT, msg);
    let there = rtnl.route_entry(host.ip()).ok().flatten();
    let link = there
        .and_then(|entry| entry.route.oif)
        .and_then(|index| rtnl.link_at(index).ok().flatten());
    match link {
        Some(link) => error.with_details(format!("it leads to {:?}", link.name)),
        None => error,
    }
}
