// SPDX-License-Identifier: Apache-2.0
//! The way that a packet to one address would take.

use net::{Netns, NewVeth, Request, Route, RouteEntry, Rtnl};

use crate::routes::{via, with_addresses};
use crate::{find, in_namespace, ip, network, pair, sandbox, set_up};

#[test]
fn a_lookup_says_which_way_a_packet_takes() {
    in_namespace(|rtnl| {
        set_up(rtnl, "lo");
        assert_eq!(rtnl.lookup(ip("192.0.2.1")).unwrap(), None);
        assert_eq!(rtnl.lookup(ip("2001:db8:9::1")).unwrap(), None);
        let oif = with_addresses(rtnl);
        for (default, gateway, destination, source) in [
            ("0.0.0.0/0", "10.1.2.1", "192.0.2.1", "10.1.2.3"),
            ("::/0", "2001:db8::1", "2001:db8:9::1", "2001:db8::3"),
        ] {
            let route = Route {
                gateway: Some(ip(gateway)),
                oif: Some(oif),
                mtu: Some(1300),
                ..Route::to(network(default))
            };
            rtnl.add_route(&route).unwrap();
            let way = rtnl.lookup(ip(destination)).unwrap().unwrap();
            assert_eq!((way.oif, way.gateway), (Some(oif), Some(ip(gateway))));
            assert_eq!((way.source, way.mtu), (Some(ip(source)), Some(1300)));
            assert_eq!((way.dst.ip(), way.table), (ip(destination), Some(254)));
        }
    });
}

#[test]
fn the_entry_of_the_table_is_found_with_who_made_it() {
    in_namespace(|rtnl| {
        assert_eq!(rtnl.route_entry(ip("192.0.2.1")).unwrap(), None);
        let oif = with_addresses(rtnl);
        for (dst, gateway, inside, metric) in [
            ("192.0.2.0/24", "10.1.2.1", "192.0.2.9", 77),
            ("2001:db8:9::/64", "2001:db8::1", "2001:db8:9::9", 1024),
        ] {
            let entry = RouteEntry {
                route: Route {
                    gateway: Some(ip(gateway)),
                    oif: Some(oif),
                    priority: Some(metric),
                    table: Some(254),
                    scope: Some(0),
                    ..Route::to(network(dst))
                },
                protocol: 118,
            };
            rtnl.apply(&[Request::AddRoute(entry)]).remove(0).unwrap();
            assert_eq!(rtnl.route_entry(ip(inside)).unwrap(), Some(entry));
        }
    });
}

/// IPv4 only: the kernel makes the local route of an IPv6 address from a work
/// queue, some time after it has acknowledged the address.
#[test]
fn an_address_of_its_own_is_reached_by_lo() {
    in_namespace(|rtnl| {
        set_up(rtnl, "lo");
        with_addresses(rtnl);
        let own = rtnl.lookup(ip("10.1.2.3")).unwrap().unwrap();
        assert_eq!(own.oif, Some(find(rtnl, "lo").index));
    });
}

#[test]
fn everything_happens_in_the_namespace_of_the_connection() {
    in_namespace(|host| {
        let netns = sandbox();
        let inside = Rtnl::open_in(&netns).unwrap();
        host.create_veth(&NewVeth {
            container_ns: Some(&netns),
            ..pair("veth1", "eth0")
        })
        .unwrap();
        set_up(host, "veth1");
        set_up(&inside, "eth0");
        let eth0 = find(&inside, "eth0").index;
        inside
            .add_address(eth0, network("10.1.2.3/24"), true)
            .unwrap();
        let route = via("0.0.0.0/0", "10.1.2.1", eth0);
        inside.add_route(&route).unwrap();
        assert!(inside.lookup(ip("192.0.2.1")).unwrap().is_some());
        assert!(host.lookup(ip("192.0.2.1")).unwrap().is_none());
        let here = Netns::current().unwrap();
        assert!(
            Rtnl::open_in(&here)
                .unwrap()
                .link("veth1")
                .unwrap()
                .is_some()
        );
    });
}
