// SPDX-License-Identifier: Apache-2.0
//! Routes: added with all that one can say about them, listed, looked up.

use net::{Route, Rtnl};

use crate::{find, in_namespace, ip, network, running_pair};

const LINK_SCOPE: u8 = 253;

/// A running link with an address of each family, and its index.
pub(crate) fn with_addresses(rtnl: &Rtnl) -> u32 {
    let (left, _) = running_pair(rtnl);
    rtnl.add_address(left.index, network("10.1.2.3/24"), true)
        .unwrap();
    rtnl.add_address(left.index, network("2001:db8::3/64"), true)
        .unwrap();
    left.index
}

/// A route by a gateway and a link.
pub(crate) fn via(dst: &str, gateway: &str, oif: u32) -> Route {
    Route {
        gateway: Some(ip(gateway)),
        oif: Some(oif),
        ..Route::to(network(dst))
    }
}

fn found(rtnl: &Rtnl, oif: u32, dst: &str) -> Vec<Route> {
    let routes = rtnl.routes(oif).unwrap();
    routes
        .into_iter()
        .filter(|route| route.dst == network(dst))
        .collect()
}

#[test]
fn a_route_keeps_all_that_was_said_about_it() {
    in_namespace(|rtnl| {
        let oif = with_addresses(rtnl);
        for (dst, gateway, scope) in [
            ("192.168.0.0/16", "10.1.2.1", 0),
            ("fd00:1::/32", "2001:db8::1", 0),
        ] {
            let route = Route {
                gateway: Some(ip(gateway)),
                oif: Some(oif),
                mtu: Some(1300),
                advmss: Some(1200),
                priority: Some(77),
                table: Some(1000),
                scope: Some(scope),
                ..Route::to(network(dst))
            };
            rtnl.add_route(&route).unwrap();
            assert_eq!(found(rtnl, oif, dst), [route]);
            // Once more is no error and no second route.
            rtnl.add_route(&route).unwrap();
            assert_eq!(found(rtnl, oif, dst), [route]);
        }
    });
}

#[test]
fn default_routes_get_the_kernels_defaults() {
    in_namespace(|rtnl| {
        let oif = with_addresses(rtnl);
        let v4 = via("0.0.0.0/0", "10.1.2.1", oif);
        let v6 = via("::/0", "2001:db8::1", oif);
        for route in [v4, v6, v4, v6] {
            rtnl.add_route(&route).unwrap();
        }
        let main = |route| Route {
            table: Some(254),
            scope: Some(0),
            ..route
        };
        assert_eq!(found(rtnl, oif, "0.0.0.0/0"), [main(v4)]);
        assert_eq!(
            found(rtnl, oif, "::/0"),
            [Route {
                priority: Some(1024),
                ..main(v6)
            }]
        );
        assert_eq!(v4.to_string(), "0.0.0.0/0 via 10.1.2.1");
    });
}

#[test]
fn a_route_without_a_gateway_has_the_scope_of_the_link() {
    in_namespace(|rtnl| {
        let oif = with_addresses(rtnl);
        let direct = Route {
            oif: Some(oif),
            ..Route::to(network("169.254.1.1/32"))
        };
        rtnl.add_route(&direct).unwrap();
        assert_eq!(
            found(rtnl, oif, "169.254.1.1/32")[0].scope,
            Some(LINK_SCOPE)
        );
        // It is what makes that address a gateway.
        let through = Route {
            gateway: Some(ip("169.254.1.1")),
            ..Route::to(network("0.0.0.0/0"))
        };
        rtnl.add_route(&through).unwrap();
        assert_eq!(found(rtnl, oif, "0.0.0.0/0")[0].oif, Some(oif));
    });
}

#[test]
fn a_gateway_outside_all_subnets_needs_onlink() {
    in_namespace(|rtnl| {
        let oif = with_addresses(rtnl);
        for (dst, gateway) in [("192.168.0.0/16", "172.16.0.1"), ("fd00:1::/32", "fd99::1")] {
            let route = via(dst, gateway, oif);
            let error = rtnl.add_route(&route).unwrap_err();
            let named =
                format!("cannot add the route to {dst} via {gateway} by the link \"left\": ");
            assert!(error.to_string().starts_with(&named), "{error}");
            rtnl.add_route(&Route {
                onlink: true,
                ..route
            })
            .unwrap();
            let [there] = found(rtnl, oif, dst)[..] else {
                panic!()
            };
            assert!(there.onlink);
            assert_eq!(there.gateway, Some(ip(gateway)));
        }
    });
}

#[test]
fn the_reason_for_an_unreachable_gateway_is_the_kernels() {
    in_namespace(|rtnl| {
        let oif = with_addresses(rtnl);
        let route = via("0.0.0.0/0", "172.16.0.1", oif);
        let error = rtnl.add_route(&route).unwrap_err();
        let text = error.to_string();
        assert!(
            text.ends_with("Network is unreachable (Nexthop has invalid gateway)"),
            "{text}"
        );
    });
}

/// IPv4 keeps both; IPv6 makes one multipath route of them.
#[test]
fn a_second_gateway_to_the_same_destination_is_a_second_route() {
    in_namespace(|rtnl| {
        let oif = with_addresses(rtnl);
        for (dst, gateways) in [
            ("192.168.0.0/16", ["10.1.2.1", "10.1.2.2"]),
            ("fd00:1::/32", ["2001:db8::1", "2001:db8::2"]),
        ] {
            for gateway in gateways {
                let route = via(dst, gateway, oif);
                rtnl.add_route(&route).unwrap();
                rtnl.add_route(&route).unwrap();
            }
            let mut there: Vec<_> = found(rtnl, oif, dst)
                .iter()
                .map(|r| r.gateway.unwrap())
                .collect();
            there.sort();
            assert_eq!(there, gateways.map(ip));
        }
    });
}

/// The kernel calls an IPv6 route with another MTU the same; it is not.
#[test]
fn a_route_that_differs_in_what_the_kernel_ignores_is_an_error() {
    in_namespace(|rtnl| {
        let oif = with_addresses(rtnl);
        let route = via("::/0", "2001:db8::1", oif);
        rtnl.add_route(&route).unwrap();
        let error = rtnl
            .add_route(&Route {
                mtu: Some(1300),
                ..route
            })
            .unwrap_err();
        assert!(error.is_exists(), "{error}");
    });
}

#[test]
fn a_preferred_source_is_kept() {
    in_namespace(|rtnl| {
        let oif = with_addresses(rtnl);
        let route = Route {
            gateway: Some(ip("10.1.2.1")),
            oif: Some(oif),
            source: Some(ip("10.1.2.3")),
            ..Route::to(network("192.168.0.0/16"))
        };
        rtnl.add_route(&route).unwrap();
        assert_eq!(
            found(rtnl, oif, "192.168.0.0/16")[0].source,
            Some(ip("10.1.2.3"))
        );
    });
}

#[test]
fn an_ipv4_destination_can_have_an_ipv6_gateway() {
    in_namespace(|rtnl| {
        let oif = with_addresses(rtnl);
        let route = via("192.168.0.0/16", "2001:db8::1", oif);
        rtnl.add_route(&route).unwrap();
        rtnl.add_route(&route).unwrap();
        assert_eq!(
            found(rtnl, oif, "192.168.0.0/16")[0].gateway,
            Some(ip("2001:db8::1"))
        );
    });
}

#[test]
fn routes_are_those_by_the_link_without_the_local_table() {
    in_namespace(|rtnl| {
        let oif = with_addresses(rtnl);
        let other = find(rtnl, "right").index;
        rtnl.add_address(other, network("10.7.0.1/24"), true)
            .unwrap();
        let mine = rtnl.routes(oif).unwrap();
        assert!(
            mine.iter()
                .all(|route| route.oif == Some(oif) && route.table == Some(254)),
            "{mine:?}"
        );
        assert!(found(rtnl, other, "10.1.2.0/24").is_empty());
        let error = rtnl.routes(4711).unwrap_err();
        assert!(error.is_not_found(), "{error}");
    });
}
