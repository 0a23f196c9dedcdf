// SPDX-License-Identifier: Apache-2.0
//! The agent in a container that may change the network and nothing else: it cannot write sysctls.

use std::fs;

use integration_tests::{Agent, Fleet, PATIENCE, Place, Stack, ping};
use serde_json::json;

const NODES: &str = "/run/lab/nodes.json";
const ARGS: [&str; 2] = ["--nodes", NODES];

/// On the host itself sysctls can be set, whatever the container may do.
fn set(host: &Place, path: &str, value: &str) {
    host.run(|| fs::write(format!("/proc/sys/net/{path}"), value))
        .unwrap_or_else(|error| panic!("{path}: {error}"));
}

#[test]
fn an_overlay_needs_no_sysctl_to_be_written() {
    let fleet = Fleet::new(2, Stack::Dual);
    let members = [&fleet.members[0], &fleet.members[1]];
    for member in members {
        // Else each new device would have what the overlay wishes.
        for (path, value) in [
            ("ipv4/conf/all/rp_filter", "1"),
            ("ipv4/conf/default/rp_filter", "1"),
            ("ipv4/conf/default/forwarding", "0"),
            ("ipv6/conf/default/accept_ra", "1"),
        ] {
            set(&member.node, path, value);
        }
        member.node.write(NODES, fleet.nodes_json());
    }
    // The runtime and its plugins are the host's: pods are attached before the container is made.
    let pods = members.map(|member| member.attach(&member.bridge()));
    let agents = members.map(|member| {
        member.node.protect_sysctls();
        let refused = member
            .node
            .run(|| fs::write("/proc/sys/net/ipv4/conf/all/rp_filter", "1"));
        assert!(refused.is_err());
        Agent::converged(&member.node, &ARGS)
    });
    for to in pods[1].all_addresses() {
        assert!(ping(&pods[0], to, PATIENCE), "{to}: {}", agents[0].log());
    }
    let node = &members[0].node;
    let read = |name: &str| node.read(format!("/proc/sys/net/ipv4/conf/podwire.1/{name}"));
    assert_eq!((&*read("rp_filter"), &*read("forwarding")), ("2\n", "1\n"));
    assert_eq!(agents[0].status()["differs"], json!([]));
    // What others break by netlink is repaired by netlink.
    node.ip("link delete podwire.1");
    assert!(
        agents[0].says("create device 1", PATIENCE),
        "{}",
        agents[0].log()
    );
    assert!(
        node.eventually(PATIENCE, || agents[0].status()["usable"] == true)
            .is_some()
    );
    assert_eq!(read("rp_filter"), "2\n");
}

/// Where the host has switched IPv6 off for new links, nothing but the host can switch it on.
#[test]
fn the_sysctl_that_the_host_has_to_set_is_named() {
    let fleet = Fleet::new(2, Stack::V6);
    let node = &fleet.members[0].node;
    set(node, "ipv6/conf/default/disable_ipv6", "1");
    node.write(NODES, fleet.nodes_json());
    node.protect_sysctls();
    let agent = Agent::start(node, &ARGS);
    let advice = "`sysctl -w net/ipv6/conf/podwire-v6.1/disable_ipv6=0`";
    assert!(agent.says(advice, PATIENCE), "{}", agent.log());
    assert_eq!(agent.status()["usable"], false);
}
