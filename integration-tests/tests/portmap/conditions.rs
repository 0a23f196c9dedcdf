// SPDX-License-Identifier: Apache-2.0
//! Conditions hold for their network's ports, and for no other's.

use std::net::IpAddr;

use integration_tests::Outside;
use serde_json::json;

use crate::site::{NODE, Site, both, network, of_bridge, seen_at, unserved};

#[test]
fn conditions_are_of_a_family_and_of_a_network() {
    let site = Site::new();
    let conditions = json!({"conditionsV4": ["ip", "saddr", "!=", "192.0.2.0/28"]});
    let (_pod, _servers) = site.server(&network(both(8080)).with_at(1, &conditions));
    let (_other, _others) = site.server(&of_bridge("other", "cni1", 89, both(9090)));
    unserved(&site.outside, NODE[0], 8080);
    assert_eq!(seen_at(&site.outside, NODE[1], 8080), Outside::V6);
    assert_eq!(seen_at(&site.outside, NODE[0], 9090), Outside::V4);
    site.outside.ip("address add 192.0.2.99/24 dev eth0");
    let own: IpAddr = "192.0.2.99".parse().unwrap();
    site.outside
        .ip("route replace 192.0.2.2/32 dev eth0 src 192.0.2.99");
    assert_eq!(seen_at(&site.outside, NODE[0], 8080), own);
}

#[test]
fn all_kinds_of_conditions_are_taken_by_the_kernel() {
    let site = Site::new();
    for (conditions, fits) in [
        (json!(["iifname", "{", "eth0,", "eth9", "}"]), true),
        (json!(["iifname != eth0"]), false),
        (json!(["oifname", "eth0"]), false),
        (json!(["oifname != eth0"]), true),
        (json!(["meta", "l4proto", "{", "tcp,", "udp", "}"]), true),
        (json!(["tcp", "dport", "8000-8100"]), true),
        (json!(["th dport != 8000-8100"]), false),
        (json!(["th", "sport", ">"]), false),
        (json!(["meta", "mark", "0"]), true),
        (json!(["fib", "daddr", "type", "local"]), true),
        (json!(["fib saddr type != unicast"]), false),
        (json!(["ct", "state", "new,established"]), true),
        (json!(["ct state != new"]), false),
        (
            json!(["ip", "saddr", "{", "10.0.0.0/8,", "192.0.2.1", "}"]),
            true,
        ),
        (
            json!(["ip", "daddr", "!=", "{", "10.0.0.1,", "192.0.2.2", "}"]),
            false,
        ),
    ] {
        let network = network(both(8080)).with_at(1, &json!({"conditionsV4": conditions}));
        let pod = site.bare(&network);
        let outcome = site.portmap("ADD", &network, &pod).run(&site.node);
        if conditions == json!(["th", "sport", ">"]) {
            assert_eq!(outcome.error().0, 7);
            continue;
        }
        assert!(outcome.success(), "{conditions}: {outcome}");
        site.portmap("CHECK", &network, &pod)
            .run(&site.node)
            .assert_silent();
        let own = integration_tests::Echo::start(&pod, pod.ipv4("eth0"), 80);
        let server = std::net::SocketAddr::new(NODE[0], 8080);
        let answered = integration_tests::ask_tcp(&site.outside, server).is_ok();
        assert_eq!(answered, fits, "{conditions}");
        drop(own);
        site.portmap("DEL", &network, &pod)
            .run(&site.node)
            .assert_silent();
        assert_eq!(site.ports(), [""; 0]);
    }
}

#[test]
fn changed_conditions_hold_from_the_next_add_on() {
    let site = Site::new();
    let (_pod, _servers) = site.server(&network(both(8080)));
    assert_eq!(seen_at(&site.outside, NODE[0], 8080), Outside::V4);
    let nobody = json!({"conditionsV4": ["ip", "saddr", "10.99.0.0/16"]});
    let next = network(both(8081)).with_at(1, &nobody);
    let pod = site.runner.attach(&next, &site.node);
    unserved(&site.outside, NODE[0], 8080);
    assert_eq!(seen_at(&site.outside, NODE[1], 8080), Outside::V6);
    site.runner.check(&next, &pod, "eth0").unwrap();
}
