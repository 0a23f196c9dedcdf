// SPDX-License-Identifier: Apache-2.0
//! The objects that lead to peers: flushed, deleted one by one, replaced by wrong ones.

use integration_tests::{Node, Stack};

use crate::lab::{BOTH, Cluster, add_strangers};

const FAMILIES: [&str; 2] = ["-4", "-6"];

/// Three nodes, so that each kind has more than one object.
fn heals(damage: impl FnOnce(&Node)) {
    let cluster = Cluster::new(3, Stack::Dual);
    add_strangers(cluster.node(0));
    cluster.heals(damage);
}

/// Destination, metric and device of the route to the second node, in each family.
fn routes(node: &Node) -> Vec<[String; 3]> {
    let routes = FAMILIES.into_iter().zip(BOTH).map(|(family, device)| {
        let shown = node.ip(&format!("{family} route show dev {device} proto 118"));
        let mut routes = shown.lines().filter(|line| {
            line.starts_with("10.200.2.0/24") || line.starts_with("fd00:200:0:2::/64")
        });
        let words: Vec<_> = routes.next().expect("it is there").split(' ').collect();
        let metric = words.iter().position(|word| *word == "metric");
        let metric = words[metric.expect("each has one") + 1];
        [words[0], metric, device].map(str::to_owned)
    });
    routes.collect()
}

/// What the forwarding table of a device holds.
fn entries(node: &Node, device: &str) -> Vec<[String; 2]> {
    let shown = node.tool("bridge", &format!("fdb show dev {device}"));
    let entry = |line: &str| {
        let words: Vec<_> = line.split(' ').collect();
        let dst = words.iter().position(|word| *word == "dst");
        [words[0], words[dst.expect("each has one") + 1]].map(str::to_owned)
    };
    shown.lines().map(entry).collect()
}

#[test]
fn routes_flushed() {
    for stack in Stack::ALL {
        let cluster = Cluster::new(2, stack);
        add_strangers(cluster.node(0));
        cluster.heals(|node| {
            for family in FAMILIES {
                node.ip(&format!("{family} route flush proto 118"));
            }
        });
    }
}

#[test]
fn one_route_deleted() {
    heals(|node| {
        for (family, [destination, _, device]) in FAMILIES.iter().zip(routes(node)) {
            node.ip(&format!("{family} route delete {destination} dev {device}"));
        }
    });
}

#[test]
fn routes_replaced_by_wrong_ones() {
    heals(|node| {
        for (family, [destination, metric, _]) in FAMILIES.iter().zip(routes(node)) {
            node.ip(&format!(
                "{family} route replace {destination} dev stranger metric {metric} proto 118"
            ));
        }
    });
}

/// A route of an MTU of its own is a silent limit.
#[test]
fn routes_with_other_metrics() {
    heals(|node| {
        for (family, [destination, metric, device]) in FAMILIES.iter().zip(routes(node)) {
            node.ip(&format!("{family} route delete {destination} dev {device}"));
            node.ip(&format!(
                "{family} route add {destination} dev {device} metric {metric} proto 118 mtu 1290"
            ));
        }
    });
}

#[test]
fn neighbours_flushed() {
    for stack in Stack::ALL {
        let cluster = Cluster::new(2, stack);
        add_strangers(cluster.node(0));
        cluster.heals(|node| {
            for device in BOTH {
                if node.interfaces().contains(&device.to_owned()) {
                    node.ip(&format!("neighbour flush dev {device} nud permanent"));
                }
            }
        });
    }
}

#[test]
fn one_neighbour_deleted() {
    heals(|node| {
        node.ip("neighbour delete 10.200.2.0 dev podwire.1");
        node.ip("neighbour delete fd00:200:0:2:: dev podwire-v6.1");
    });
}

#[test]
fn neighbours_replaced_by_wrong_ones() {
    heals(|node| {
        let wrong = "lladdr 02:00:00:00:99:99";
        node.ip(&format!(
            "neighbour replace 10.200.2.0 {wrong} dev podwire.1 nud permanent"
        ));
        node.ip(&format!(
            "neighbour replace fd00:200:0:2:: {wrong} dev podwire-v6.1 nud permanent"
        ));
    });
}

/// The right address, but for as long as the kernel likes.
#[test]
fn neighbours_that_are_not_permanent() {
    heals(|node| {
        node.ip("neighbour change 10.200.2.0 dev podwire.1 nud stale");
        node.ip("neighbour change fd00:200:0:2:: dev podwire-v6.1 nud stale");
    });
}

#[test]
fn forwarding_entries_flushed() {
    for stack in Stack::ALL {
        let cluster = Cluster::new(2, stack);
        add_strangers(cluster.node(0));
        cluster.heals(|node| {
            for device in BOTH {
                if node.interfaces().contains(&device.to_owned()) {
                    for [mac, dst] in entries(node, device) {
                        node.tool("bridge", &format!("fdb del {mac} dev {device} dst {dst}"));
                    }
                }
            }
        });
    }
}

#[test]
fn one_forwarding_entry_replaced_by_a_wrong_one() {
    heals(|node| {
        for (device, elsewhere) in BOTH.iter().zip(["192.0.2.77", "2001:db8:1::77"]) {
            let [mac, _] = entries(node, device).remove(0);
            node.tool(
                "bridge",
                &format!("fdb replace {mac} dev {device} dst {elsewhere}"),
            );
        }
    });
}

#[test]
fn objects_of_a_peer_that_is_none() {
    heals(|node| {
        let mac = "02:00:00:00:88:88";
        node.tool(
            "bridge",
            &format!("fdb append {mac} dev podwire.1 dst 192.0.2.88"),
        );
        node.ip(&format!(
            "neighbour add 10.200.88.0 lladdr {mac} dev podwire.1 nud permanent"
        ));
        node.ip("route add 10.200.88.0/24 via 10.200.88.0 dev podwire.1 onlink proto 118");
        node.ip("-6 route add fd00:200:0:88::/64 dev podwire-v6.1 proto 118");
    });
}
