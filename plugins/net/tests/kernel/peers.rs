// SPDX-License-Identifier: Apache-2.0
//! Peers of a VXLAN device: a route, a neighbour and a forwarding entry each,
//! listed as they were made.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use ipnetwork::IpNetwork;
use net::{FdbEntry, Mac, Neighbour, NewVxlan, Request, Route, RouteEntry, Rtnl};

use crate::vxlans::{underlay, vxlan};
use crate::{find, in_namespace, ip, mac, network};

/// The protocol number of the tests' own routes.
pub(crate) const OURS: u8 = 84;

/// What a link has of the three.
pub(crate) type Held = (Vec<RouteEntry>, Vec<Neighbour>, Vec<FdbEntry>);

pub(crate) fn held(rtnl: &Rtnl, link: u32) -> Held {
    (
        rtnl.route_entries(Some(link), Some(OURS)).unwrap(),
        rtnl.neighbours(link).unwrap(),
        rtnl.fdb(link).unwrap(),
    )
}

/// The requests for peer number `n`, of IPv4.
pub(crate) fn peer(link: u32, n: u32) -> [Request; 3] {
    let gateway = Ipv4Addr::from(0x0ac8_0000 + (n << 8));
    let underlay = Ipv4Addr::from(0xc612_0000 + n);
    let subnet = IpNetwork::new(gateway.into(), 24).unwrap();
    requests(link, n, subnet, underlay.into(), Some(n))
}

/// The same of IPv6.
pub(crate) fn peer6(link: u32, n: u32) -> [Request; 3] {
    let gateway = Ipv6Addr::from((0xfd00 << 112) + (u128::from(n) << 64));
    let underlay = Ipv6Addr::from((0x2001_0db8 << 96) + u128::from(n));
    let subnet = IpNetwork::new(gateway.into(), 64).unwrap();
    requests(link, n, subnet, underlay.into(), None)
}

fn requests(
    link: u32,
    n: u32,
    subnet: IpNetwork,
    underlay: IpAddr,
    metric: Option<u32>,
) -> [Request; 3] {
    let [a, b, c, d] = n.to_be_bytes();
    let mac = Mac::new([2, 1, a, b, c, d]);
    [
        Request::SetNeighbour(Neighbour {
            link,
            ip: subnet.ip(),
            mac,
        }),
        Request::SetFdb(FdbEntry::new(link, mac, underlay)),
        Request::AddRoute(RouteEntry {
            protocol: OURS,
            route: Route {
                gateway: Some(subnet.ip()),
                oif: Some(link),
                priority: metric,
                onlink: true,
                ..Route::to(subnet)
            },
        }),
    ]
}

/// The requests that undo these, in reverse.
pub(crate) fn undone(requests: &[Request]) -> Vec<Request> {
    let undo = |request: &Request| match *request {
        Request::SetNeighbour(it) => Request::DeleteNeighbour(it),
        Request::SetFdb(entry) => Request::DeleteFdb(entry),
        Request::AddRoute(entry) => Request::DeleteRoute(entry),
        other => panic!("{other}"),
    };
    requests.iter().rev().map(undo).collect()
}

/// Has all of them carried out.
pub(crate) fn apply(rtnl: &Rtnl, requests: &[Request]) {
    let outcomes = rtnl.apply(requests);
    assert_eq!(outcomes.len(), requests.len());
    outcomes.into_iter().for_each(|outcome| outcome.unwrap());
}

#[test]
fn what_is_listed_is_what_was_made() {
    in_namespace(|host| {
        let below = underlay(host);
        for (name, local, of) in [
            ("four", "192.0.2.1", peer as fn(u32, u32) -> [Request; 3]),
            ("six", "2001:db8::1", peer6),
        ] {
            host.create_vxlan(&vxlan(name, local, below)).unwrap();
            let index = find(host, name).index;
            let made = of(index, 7);
            apply(host, &made);
            let [
                Request::SetNeighbour(neighbour),
                Request::SetFdb(entry),
                Request::AddRoute(mut route),
            ] = made
            else {
                panic!("{made:?}")
            };
            // What the kernel filled in.
            route.route.table = Some(254);
            route.route.scope = Some(0);
            route.route.priority.get_or_insert(1024);
            assert_eq!(
                held(host, index),
                (vec![route], vec![neighbour], vec![entry])
            );
            let single = || {
                let neighbour = host.neighbour(index, neighbour.ip).unwrap();
                (neighbour, host.fdb_entry(index, entry.mac).unwrap())
            };
            assert_eq!(single(), (Some(neighbour), Some(entry)));
            apply(host, &undone(&made));
            assert_eq!(held(host, index), (vec![], vec![], vec![]));
            assert_eq!(single(), (None, None));
        }
    });
}

#[test]
fn an_entry_that_says_more_than_where_shows_it() {
    in_namespace(|host| {
        let below = underlay(host);
        host.create_vxlan(&vxlan("podwire.1", "192.0.2.1", below))
            .unwrap();
        let index = find(host, "podwire.1").index;
        let plain = FdbEntry::new(index, mac(9), ip("192.0.2.9"));
        let special = FdbEntry {
            port: Some(4789),
            vni: Some(99),
            via: Some(find(host, "right").index),
            ..plain
        };
        apply(host, &[Request::SetFdb(special)]);
        assert_eq!(host.fdb(index).unwrap(), [special]);
        assert_eq!(host.fdb_entry(index, mac(9)).unwrap(), Some(special));
        // It is the only one for its MAC address, so this takes its place.
        apply(host, &[Request::SetFdb(plain)]);
        assert_eq!(host.fdb(index).unwrap(), [plain]);
    });
}

#[test]
fn the_lists_leave_out_other_links_and_what_the_kernel_found_itself() {
    in_namespace(|host| {
        let below = underlay(host);
        for (name, vni) in [("one", 1), ("two", 2)] {
            let new = NewVxlan {
                vni,
                ..vxlan(name, "192.0.2.1", below)
            };
            host.create_vxlan(&new).unwrap();
        }
        let (one, two) = (find(host, "one").index, find(host, "two").index);
        apply(host, &peer(one, 1));
        // Left without an answer, this one is not permanent.
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        let _ = socket.send_to(b"?", "192.0.2.77:9");
        assert_eq!(held(host, two), (vec![], vec![], vec![]));
        assert_eq!(held(host, below), (vec![], vec![], vec![]));
        assert_eq!(host.neighbour(below, ip("192.0.2.77")).unwrap(), None);
        assert!(host.neighbour(4711, ip("192.0.2.77")).is_err());
        assert!(host.fdb_entry(4711, mac(9)).is_err());
        assert_eq!(host.neighbours(4711).unwrap(), []);
        assert_eq!(host.fdb(4711).unwrap(), []);
    });
}

#[test]
fn routes_are_told_apart_by_who_made_them() {
    in_namespace(|host| {
        let below = underlay(host);
        let theirs = Route {
            gateway: Some(ip("192.0.2.9")),
            oif: Some(below),
            priority: Some(5),
            ..Route::to(network("10.9.0.0/16"))
        };
        host.add_route(&theirs).unwrap();
        let ours = RouteEntry {
            protocol: OURS,
            route: Route {
                priority: Some(6),
                ..theirs
            },
        };
        apply(host, &[Request::AddRoute(ours)]);
        let list = |oif, protocol| {
            let entries = host.route_entries(oif, protocol).unwrap();
            let to_nine = entries.iter().filter(|entry| entry.route.dst == theirs.dst);
            to_nine.map(|entry| entry.protocol).collect::<Vec<_>>()
        };
        assert_eq!(list(Some(below), None), [3, OURS]);
        assert_eq!(list(None, Some(OURS)), [OURS]);
        assert_eq!(list(Some(below), Some(OURS)), [OURS]);
        assert_eq!(list(Some(find(host, "right").index), None), [0; 0]);

        // Theirs is not deleted in the belief that it is ours.
        let mistaken = RouteEntry {
            route: theirs,
            ..ours
        };
        let [Err(error)] = &host.apply(&[Request::DeleteRoute(mistaken)])[..] else {
            panic!()
        };
        assert!(error.is_not_found(), "{error}");
        apply(host, &[Request::DeleteRoute(ours)]);
        assert_eq!(list(Some(below), None), [3]);
    });
}
