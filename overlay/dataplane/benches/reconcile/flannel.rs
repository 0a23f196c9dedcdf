// SPDX-License-Identifier: Apache-2.0
//! flannel's own way of programming peers: request by request, each over a socket of its own and
//! awaited, neighbour, forwarding entry, route; routes have neither metric nor protocol number.

use net::{FdbEntry, Mac, Neighbour, Request, Route, RouteEntry, Rtnl};
use topology::Family;

use crate::lab::{Cost, Lab, time};

/// `RTPROT_BOOT` of linux/rtnetlink.h.
const BOOT: u8 = 3;

pub(crate) fn program(lab: &Lab, peers: u32) -> Cost {
    // The device alone.
    lab.reconcile(0);
    let name = lab.settings.vni.device_name(Family::V4);
    let device = lab.rtnl.link(&name).expect("links can be looked up");
    let requests = requests(lab, device.expect("it was made").index, peers);
    let (cost, ()) = time(|| {
        for request in requests {
            let socket = Rtnl::open().expect("a socket can be opened");
            let outcomes = socket.apply(&[request]).into_iter();
            outcomes.for_each(|outcome| outcome.unwrap_or_else(|error| panic!("{error}")));
        }
    });
    cost
}

fn requests(lab: &Lab, link: u32, peers: u32) -> Vec<Request> {
    let cluster = lab.cluster(0..=peers);
    let overlay = cluster.overlay(Family::V4).expect("all nodes have it");
    let of_peer = |peer: &topology::Vtep| {
        let (dst, mac) = (peer.pod_cidrs[0], Mac::new(peer.mac.0));
        let ip = dst.network();
        let route = Route {
            gateway: Some(ip),
            oif: Some(link),
            onlink: true,
            ..Route::to(dst)
        };
        let route = RouteEntry {
            route,
            protocol: BOOT,
        };
        [
            Request::SetNeighbour(Neighbour { link, ip, mac }),
            Request::SetFdb(FdbEntry::new(link, mac, peer.underlay)),
            Request::ReplaceRoute(route),
        ]
    };
    overlay.peers().iter().flat_map(of_peer).collect()
}
