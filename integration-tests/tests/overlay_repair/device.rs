// SPDX-License-Identifier: Apache-2.0
//! The device: deleted, set down, rewritten, replaced.

use integration_tests::Stack;
use serde_json::Value;

use crate::lab::{BOTH, Cluster, LIMIT, add_strangers, assert_go_on, view};

/// `DEV` is the device of each family in turn.
fn heals_after(stack: Stack, commands: &[&str]) {
    let cluster = Cluster::new(2, stack);
    add_strangers(cluster.node(0));
    let devices = match stack {
        Stack::V4 => &BOTH[..1],
        Stack::V6 => &BOTH[1..],
        Stack::Dual => &BOTH[..],
    };
    cluster.heals(|node| {
        for device in devices {
            for command in commands {
                node.ip(&command.replace("DEV", device));
            }
        }
    });
}

/// Reference F1 and F2: flannel makes the device again without its peers, and watches the one of
/// IPv4 alone.
#[test]
fn deleted() {
    for stack in Stack::ALL {
        heals_after(stack, &["link delete DEV"]);
    }
}

/// Reference F4: flannel's second device is smaller than the first one.
#[test]
fn deleted_again_and_again() {
    let cluster = Cluster::new(2, Stack::Dual);
    for _ in 0..4 {
        cluster.heals(|node| {
            for device in BOTH {
                node.ip(&format!("link delete {device}"));
            }
        });
    }
}

/// With it go the routes and the permanent neighbours of both families.
#[test]
fn set_down() {
    for stack in Stack::ALL {
        heals_after(stack, &["link set DEV down"]);
    }
}

#[test]
fn set_down_and_up_again() {
    heals_after(Stack::Dual, &["link set DEV down", "link set DEV up"]);
}

/// Reference F9. The kernel flushes the permanent neighbours then.
#[test]
fn mac_rewritten() {
    for stack in [Stack::V4, Stack::Dual] {
        heals_after(stack, &["link set DEV address 02:00:00:00:99:99"]);
    }
}

/// Reference F9.
#[test]
fn mtu_changed() {
    heals_after(Stack::Dual, &["link set DEV mtu 1300"]);
}

/// All routes of IPv4 and of IPv6 are gone with an MTU that is too small for IPv6.
#[test]
fn mtu_too_small_for_ipv6() {
    heals_after(Stack::Dual, &["link set DEV mtu 1200"]);
}

#[test]
fn addresses_flushed() {
    heals_after(Stack::Dual, &["address flush dev DEV scope global"]);
}

#[test]
fn sent_elsewhere() {
    let cluster = Cluster::new(2, Stack::Dual);
    cluster.heals(|node| {
        node.ip("link add lower type bridge");
        node.ip("link set podwire.1 type vxlan dev lower local 203.0.113.9 learning");
        node.ip("link set podwire-v6.1 type vxlan dev lower local 2001:db8:77::9 learning");
        node.ip("link delete lower");
    });
}

#[test]
fn another_one_in_its_place() {
    let cluster = Cluster::new(2, Stack::Dual);
    cluster.heals(|node| {
        for command in [
            "link delete podwire.1",
            "link add podwire.1 type vxlan id 9 dstport 8473 local 192.0.2.11 dev eth0",
            "link set podwire.1 up",
            "route add 10.200.2.0/24 dev podwire.1 proto 118",
            "link delete podwire-v6.1",
            "link add podwire-v6.1 type vxlan external dstport 8474",
        ] {
            node.ip(command);
        }
    });
}

#[test]
fn sysctls_changed() {
    let cluster = Cluster::new(2, Stack::Dual);
    cluster.heals(|node| {
        for (setting, value) in [
            ("ipv4/conf/podwire.1/rp_filter", "1"),
            ("ipv4/conf/podwire.1/forwarding", "0"),
            ("ipv6/conf/podwire.1/accept_ra", "1"),
            ("ipv6/conf/podwire-v6.1/accept_ra", "2"),
            // The kernel takes addresses and routes away with it.
            ("ipv6/conf/podwire-v6.1/disable_ipv6", "1"),
        ] {
            node.write(format!("/proc/sys/net/{setting}"), value);
        }
    });
}

/// Nothing but the files themselves tells of these.
#[test]
fn sysctls_changed_in_silence() {
    let cluster = Cluster::new(2, Stack::Dual);
    let (node, agent) = (cluster.node(0), &cluster.agents[0]);
    let whole = view(node);
    cluster.settle(0);
    node.write("/proc/sys/net/ipv4/conf/podwire.1/rp_filter", "1");
    node.write("/proc/sys/net/ipv6/conf/podwire-v6.1/accept_ra", "2");
    assert!(agent.says("set sysctl", LIMIT), "{}", agent.log());
    cluster.assert_becomes(0, &whole, || view(node));
}

/// The kernel has no place for a second device of this VNI, and whose it is nobody knows: it is
/// named. When it is gone, all is made again.
#[test]
fn renamed() {
    let cluster = Cluster::new(2, Stack::V4);
    let (node, talks) = (cluster.node(0), cluster.talk(0, 1));
    let whole = view(node);
    node.ip("link set podwire.1 down");
    node.ip("link set podwire.1 name other");
    let named = |state: &Value| {
        let error = state["lastError"].as_str().unwrap_or_default();
        state["converged"] == false && error.contains("\"other\"")
    };
    cluster.agents[0].wait_for_state("told of the other one", LIMIT, named);
    node.ip("link delete other");
    cluster.assert_becomes(0, &whole, || view(node));
    assert_go_on(&talks);
}

/// What is a port of a bridge takes no packet for this node.
#[test]
fn made_a_port_of_a_bridge() {
    let cluster = Cluster::new(2, Stack::Dual);
    let bridge = "link add bridge address 02:00:00:00:00:77 type bridge";
    cluster.node(0).ip(bridge);
    cluster.heals(|node| {
        for device in BOTH {
            node.ip(&format!("link set {device} master bridge"));
        }
    });
}
