// SPDX-License-Identifier: Apache-2.0
//! What people and programs do to an overlay: one call, and packets cross again.

use crate::lab::{Host, Lab, assert_cross, entries, network, settings};
use dataplane::Action;

const BOTH: [&str; 2] = ["podwire.1", "podwire-v6.1"];

/// Two nodes; something is done to the first; it is seen by an audit, and one call mends it.
fn heals(damage: impl FnOnce(&Host)) {
    let (lab, nodes, settings) = (Lab::new(2), entries(2, "46"), settings(""));
    lab.program(&nodes, &settings);
    let host = &lab.nodes[0];
    host.settle(&BOTH);
    damage(host);
    let audit = host.audit(&nodes, &settings);
    assert!(audit.differing > 0 && audit.errors.is_empty(), "{audit:?}");
    // What is beyond the wish is not seen by look-ups.
    let beyond = [
        Action::DeleteRoute,
        Action::DeleteNeighbour,
        Action::DeleteFdbEntry,
    ];
    let lacks = audit.operations.keys().any(|due| !beyond.contains(due));
    assert_eq!(host.holds(&nodes, &settings), !lacks, "{audit:?}");
    let report = host.reconcile(&nodes, &settings);
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    assert_cross(&lab, 1, 2, "46");
    host.assert_quiet(&nodes, &settings, &BOTH);
    assert!(host.holds(&nodes, &settings));
}

/// By hand, `DEV` being each device in turn.
fn heals_after(program: &str, commands: &[&str]) {
    heals(|host| {
        for device in BOTH {
            for command in commands {
                host.run(program, &command.replace("DEV", device));
            }
        }
    });
}

#[test]
fn a_device_is_deleted() {
    heals_after("ip", &["link del DEV"]);
}

#[test]
fn a_device_is_set_down() {
    heals_after("ip", &["link set DEV down"]);
}

#[test]
fn a_device_is_set_down_and_up() {
    heals_after("ip", &["link set DEV down", "link set DEV up"]);
}

/// What is a port of a bridge takes no packet for this node.
#[test]
fn a_device_is_made_a_port() {
    heals_after(
        "ip",
        &["link add of-DEV type bridge", "link set DEV master of-DEV"],
    );
}

#[test]
fn a_mac_address_is_rewritten() {
    heals_after("ip", &["link set DEV address 02:00:00:00:99:99"]);
}

#[test]
fn an_mtu_is_changed() {
    heals_after("ip", &["link set DEV mtu 1300"]);
}

#[test]
fn a_device_starts_to_learn() {
    heals_after("ip", &["link set DEV type vxlan learning"]);
}

#[test]
fn addresses_of_the_device_are_flushed_or_added() {
    heals_after("ip", &["addr flush dev DEV"]);
    heals(|host| {
        host.ip("addr add 10.100.77.1/32 dev podwire.1");
        host.ip("addr add fd00:0:0:77::1/128 dev podwire-v6.1");
    });
}

/// Each by itself is seen and mended, however strict the host is with other links.
#[test]
fn sysctls_of_the_device_are_changed() {
    let (lab, nodes, settings) = (Lab::new(2), entries(2, "46"), settings(""));
    let host = &lab.nodes[0];
    let set = |setting: &str, value: &str| {
        host.inside(|| net::sysctl::ensure(setting, value)).unwrap();
    };
    set("net/ipv4/conf/all/rp_filter", "1");
    lab.program(&nodes, &settings);
    for (setting, wrong, right) in [
        ("net/ipv4/conf/podwire.1/rp_filter", "1", "2"),
        ("net/ipv4/conf/podwire.1/forwarding", "0", "1"),
        ("net/ipv6/conf/podwire.1/accept_ra", "1", "0"),
        ("net/ipv6/conf/podwire-v6.1/accept_ra", "2", "0"),
        ("net/ipv6/conf/podwire-v6.1/disable_ipv6", "1", "0"),
    ] {
        set(setting, wrong);
        assert!(host.audit(&nodes, &settings).differing > 0, "{setting}");
        let report = host.reconcile(&nodes, &settings);
        assert!(report.errors.is_empty(), "{:?}", report.errors);
        let is = host.inside(|| net::sysctl::read(setting)).unwrap();
        assert_eq!(is, right, "{setting}");
    }
    assert_cross(&lab, 1, 2, "46");
    host.assert_quiet(&nodes, &settings, &BOTH);
}

#[test]
fn routes_are_flushed() {
    heals(|host| {
        host.ip("-4 route flush proto 118");
        host.ip("-6 route flush proto 118");
    });
}

#[test]
fn routes_are_changed_by_hand() {
    heals(|host| {
        for (family, device) in [("-4", BOTH[0]), ("-6", BOTH[1])] {
            let shown = host.ip(&format!("{family} route show dev {device} proto 118"));
            let words: Vec<_> = shown.split_whitespace().collect();
            let after = |word| words[words.iter().position(|it| *it == word).unwrap() + 1];
            let (dst, metric) = (words[0], after("metric"));
            host.ip(&format!(
                "{family} route replace {dst} dev eth0 metric {metric} proto 118"
            ));
        }
    });
}

#[test]
fn neighbours_are_flushed() {
    heals_after("ip", &["neigh flush dev DEV nud permanent"]);
}

#[test]
fn neighbours_are_changed_by_hand() {
    heals(|host| {
        for (address, device) in [("10.100.2.0", BOTH[0]), ("fd00:0:0:2::", BOTH[1])] {
            host.ip(&format!(
                "neigh replace {address} lladdr 02:00:00:00:99:99 dev {device} nud permanent"
            ));
        }
    });
}

#[test]
fn forwarding_entries_are_deleted() {
    heals(|host| {
        for device in BOTH {
            for entry in host.rtnl.fdb(host.device(device).index).unwrap() {
                host.run("bridge", &format!("fdb del {} dev {device}", entry.mac));
            }
        }
    });
}

#[test]
fn forwarding_entries_are_changed_by_hand() {
    heals(|host| {
        for (device, elsewhere) in [(BOTH[0], "192.0.2.77"), (BOTH[1], "2001:db8::77")] {
            for entry in host.rtnl.fdb(host.device(device).index).unwrap() {
                host.run(
                    "bridge",
                    &format!(
                        "fdb replace {} dev {device} dst {elsewhere} port 4789",
                        entry.mac
                    ),
                );
            }
        }
    });
}

#[test]
fn a_route_gets_an_mtu() {
    heals(|host| {
        for (family, device) in [("-4", BOTH[0]), ("-6", BOTH[1])] {
            let shown = host.ip(&format!("{family} route show dev {device} proto 118"));
            let route = shown.trim_end().trim_end_matches(" pref medium").trim_end();
            host.ip(&format!(
                "{family} route replace {route} dev {device} proto 118 mtu 1290"
            ));
        }
    });
}

#[test]
fn stale_objects_of_a_peer_that_is_gone() {
    heals(|host| {
        let add = "02:00:00:00:88:88 dev podwire.1 dst 192.0.2.88 port 4789";
        host.run("bridge", &format!("fdb append {add}"));
        host.ip("neigh add 10.100.88.0 lladdr 02:00:00:00:88:88 dev podwire.1 nud permanent");
        host.ip("route add 10.100.88.0/24 via 10.100.88.0 dev podwire.1 onlink proto 118");
        host.ip("route add fd00:0:0:88::/64 dev podwire-v6.1 proto 118");
    });
}

/// What the kernel never changes in place.
#[test]
fn a_device_of_other_settings_stands_in_the_place() {
    heals(|host| {
        host.ip("link del podwire.1");
        host.ip("link add podwire.1 type vxlan id 1 dstport 8473 local 192.0.2.1 dev eth0");
        host.ip("link set podwire.1 up");
        host.ip("route add 10.100.2.0/24 dev podwire.1 proto 118");
        host.ip("link del podwire-v6.1");
        host.ip("link add podwire-v6.1 type vxlan external dstport 8474");
    });
}

/// The addresses are flannel's: the network address of the pod CIDR, with no subnet.
#[test]
fn the_devices_address_is_the_pod_cidrs() {
    let (lab, nodes, settings) = (Lab::new(1), entries(1, "46"), settings(""));
    lab.program(&nodes, &settings);
    for (device, address) in [(BOTH[0], "10.100.1.0/32"), (BOTH[1], "fd00:0:0:1::/128")] {
        let host = &lab.nodes[0];
        let addresses = host.rtnl.addresses(host.device(device).index).unwrap();
        let mut given = addresses.iter().filter(|address| !address.link_local);
        assert_eq!(given.next().unwrap().network, network(address));
        assert!(given.next().is_none());
    }
}
