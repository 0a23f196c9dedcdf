// SPDX-License-Identifier: Apache-2.0
//! What is not ours stays, and is reported where it is in the way.

use topology::Obstacle;

use crate::lab::{Lab, assert_cross, entries, network, settings};

const BOTH: [&str; 2] = ["podwire.1", "podwire-v6.1"];

#[test]
fn others_objects_stay() {
    let (lab, nodes, settings) = (Lab::new(1), entries(3, "46"), settings(""));
    let host = &lab.nodes[0];
    lab.program(&nodes, &settings);
    for command in [
        "route add 10.200.0.0/24 via 192.0.2.9 dev eth0",
        "route add 10.201.0.0/24 via 10.201.0.0 dev podwire.1 onlink",
        "route add 203.0.113.0/24 via 192.0.2.9 dev eth0 proto 118",
        "route add 10.202.0.0/24 via 192.0.2.9 dev eth0 table 100 proto 118",
        "-6 route add fd00:0:0:99::/64 via 2001:db8::9 dev eth0",
        "neigh add 192.0.2.9 lladdr 02:00:00:00:77:77 dev eth0 nud permanent",
    ] {
        host.ip(command);
    }
    host.settle(&BOTH);
    let shown = || {
        [
            "route show",
            "route show table 100",
            "-6 route show",
            "neigh show nud permanent",
        ]
        .map(|command| host.ip(command))
    };
    let before = shown();
    host.assert_quiet(&nodes, &settings, &BOTH);
    assert_eq!(shown(), before);
}

#[test]
fn a_route_that_leads_pods_away_is_reported() {
    let (lab, nodes, settings) = (Lab::new(1), entries(3, "46"), settings(""));
    let host = &lab.nodes[0];
    host.ip("route add 10.100.1.0/24 via 192.0.2.3 dev eth0");
    host.ip("route add 10.100.2.0/24 via 192.0.2.3 dev eth0 metric 5");
    let reports = [
        host.reconcile(&nodes, &settings),
        host.reconcile(&nodes, &settings),
    ];
    for report in reports {
        assert!(report.errors.is_empty(), "{:?}", report.errors);
        let obstacles = report.complaints.iter().map(|foreign| foreign.obstacle);
        let obstacles: Vec<_> = obstacles.collect();
        assert_eq!(obstacles, [Obstacle::OwnPodCidr, Obstacle::Preferred]);
    }
    assert!(host.audit(&nodes, &settings).is_clean());
    assert!(host.ip("route show 10.100.1.0/24").contains("192.0.2.3"));
}

/// The kernel refuses an IPv6 gateway that another's route leads to, until the gateway has a route
/// of its own: the overlay's route is made, and the other one reported where it is preferred.
#[test]
fn an_ipv6_route_that_leads_to_the_gateways_is_no_obstacle() {
    let (lab, nodes, settings) = (Lab::new(2), entries(2, "46"), settings(""));
    let host = &lab.nodes[0];
    host.ip("-6 route add fd00::/24 via 2001:db8::3 dev eth0");
    let one = "-6 route add fd00:0:0:2::/64 via 2001:db8::3 dev eth0 metric 5";
    host.ip(one);
    lab.program(&nodes, &settings);
    let shown = host.ip("-6 route show proto 118");
    assert_eq!(shown.lines().count(), 1, "{shown}");
    let audit = host.audit(&nodes, &settings);
    assert!(audit.is_clean(), "{audit:?}");
    assert_eq!(audit.complaints[0].obstacle, Obstacle::Preferred);
    host.ip(&one.replace("add", "del"));
    assert_cross(&lab, 1, 2, "46");
    host.assert_quiet(&nodes, &settings, &BOTH);
}

#[test]
fn an_ipv6_route_that_leads_to_all_gateways_costs_no_peer() {
    let (lab, nodes, settings) = (Lab::new(1), entries(1500, "6"), settings(""));
    let host = &lab.nodes[0];
    host.ip("-6 route add fd00::/24 via 2001:db8::3 dev eth0");
    let report = host.reconcile(&nodes, &settings);
    assert!(report.errors.is_empty(), "{:?}", report.errors.first());
    let shown = host.ip("-6 route show proto 118");
    assert_eq!(shown.lines().count(), 1499);
    host.assert_quiet(&nodes, &settings, &BOTH[1..]);
}

/// Where even that is in vain, the kernel's words are told.
#[test]
fn an_ipv6_route_to_the_gateway_itself_costs_its_peer() {
    let (lab, nodes, settings) = (Lab::new(1), entries(3, "6"), settings(""));
    let host = &lab.nodes[0];
    host.ip("-6 route add fd00:0:0:2::/128 via 2001:db8::3 dev eth0 metric 1");
    let report = host.reconcile(&nodes, &settings);
    let texts: Vec<_> = report.errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "fd00:0:0:2::/64: the gateway fd00:0:0:2:: is behind another program's route fd00:0:0:2::/128 via 2001:db8::3: cannot add the route to fd00:0:0:2::/64 via fd00:0:0:2::: Invalid argument (Nexthop has invalid gateway or device mismatch)"
        ]
    );
    assert_eq!(host.ip("-6 route show proto 118").lines().count(), 1);
}

/// A route that leads nowhere keeps packets from a peer's pods, whichever way it does it.
#[test]
fn a_route_that_leads_nowhere_is_reported() {
    let (lab, nodes, settings) = (Lab::new(1), entries(4, "46"), settings(""));
    let host = &lab.nodes[0];
    let dead_ends = [
        "route add blackhole 10.100.2.0/24",
        "-6 route add prohibit fd00:0:0:4::/64 metric 5",
        "-6 route add unreachable fd00:0:0:3::/64",
        "route add throw 10.100.4.0/24",
        // Of this node's own pods the bridge knows more.
        "route add unreachable 10.100.1.0/24",
    ];
    dead_ends.iter().for_each(|command| drop(host.ip(command)));
    let report = host.reconcile(&nodes, &settings);
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    let told = report.complaints.iter();
    let told: Vec<_> = told.map(|it| (it.route.dst, it.obstacle)).collect();
    assert_eq!(
        told,
        [
            (network("10.100.2.0/24"), Obstacle::Preferred),
            (network("10.100.4.0/24"), Obstacle::Preferred),
            (network("fd00:0:0:3::/64"), Obstacle::InPlace),
            (network("fd00:0:0:4::/64"), Obstacle::Preferred),
        ]
    );
    // The other ones have their routes, beside the dead ends.
    assert!(report.obstructed.iter().eq(["node3"]), "{report:?}");
    host.settle(&BOTH);
    host.assert_quiet(&nodes, &settings, &BOTH);
    for command in dead_ends {
        host.ip(&command.replace("add", "del"));
    }
    lab.program(&nodes, &settings);
    let routes = |family| {
        host.ip(&format!("{family} route show proto 118"))
            .lines()
            .count()
    };
    assert_eq!((routes("-4"), routes("-6")), (3, 3));
}

/// A route of a kind that is not looked for, the host's own here. That it exists is not to be taken
/// for a sign that another call of ours was quicker.
#[test]
fn a_route_of_another_kind_costs_its_peer_and_is_told() {
    let (lab, nodes, settings) = (Lab::new(1), entries(3, "46"), settings(""));
    let host = &lab.nodes[0];
    let own = "-6 route add local fd00:0:0:2::/64 dev lo table main";
    host.ip(own);
    for _ in 0..2 {
        let report = host.reconcile(&nodes, &settings);
        let texts: Vec<_> = report.errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "fd00:0:0:2::/64: cannot add the route to fd00:0:0:2::/64 via fd00:0:0:2::: File exists"
            ]
        );
    }
    host.ip(&own.replace("add", "del"));
    lab.program(&nodes, &settings);
    host.assert_quiet(&nodes, &settings, &BOTH);
}
