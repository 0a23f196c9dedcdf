// SPDX-License-Identifier: Apache-2.0
//! A node boots while there is no API server: its pods have the network that it remembers.

use std::fs;

use e2e_tests::{Cluster, PATIENCE, assert_joined, fake_node, overlay_routes, wait_for_routes};
use integration_tests::{Agent, Member, Stack};
use serde_json::json;

const CACHE: &str = "/var/lib/podwire/nodes.json";

/// Ends an agent and takes away what does not outlive a reboot.
fn shut_down(member: &Member, agent: Agent) {
    agent.terminate();
    for device in ["podwire.1", "podwire-v6.1"] {
        member.node.ip(&format!("link delete {device}"));
    }
    member.node.tool("nft", "flush ruleset");
    let state = member.node.run(|| fs::remove_dir_all("/run/podwire"));
    state.unwrap_or_else(|error| panic!("the agent's state: {error}"));
    member
        .node
        .run(|| fs::remove_dir_all("/run/lab/net.d").ok());
    assert_eq!(overlay_routes(member), [] as [&str; 0]);
}

/// Waits until an agent has programmed so many peers and has written the conflist.
fn wait_until_usable(agent: &Agent, peers: usize) {
    agent.wait_for_state("usable", PATIENCE, |state| {
        state["converged"] == true && state["peersProgrammed"] == json!(peers)
    });
    assert!(
        agent.says("wrote the conflist", PATIENCE),
        "{}",
        agent.log()
    );
}

/// Waits until a member's cache names a node, or does not any more.
fn wait_for_cache(member: &Member, node: &str, named: bool) {
    let quoted = format!("\"{node}\"");
    let read = || {
        member
            .node
            .run(|| fs::read_to_string(CACHE))
            .unwrap_or_default()
    };
    let node = &member.node;
    let seen = node.file_eventually(CACHE.as_ref(), PATIENCE, || {
        read().contains(&quoted) == named
    });
    assert!(seen, "{}", read());
}

#[test]
fn pods_have_a_network_before_the_api_server_is_there() {
    let mut cluster = Cluster::new(2, Stack::Dual);
    cluster.kubernetes.create_node(&fake_node(50, Stack::Dual));
    let members = &cluster.fleet.members;
    let agents: Vec<_> = members
        .iter()
        .map(|member| cluster.podwired(member, &[]))
        .collect();
    for (member, agent) in members.iter().zip(agents) {
        wait_until_usable(&agent, 2);
        wait_for_cache(member, "f50", true);
        shut_down(member, agent);
    }
    // They have not heard of this any more.
    cluster.kubernetes.delete_node("f50");
    cluster.kubernetes.create_node(&fake_node(51, Stack::Dual));
    cluster.control_plane.stop();

    let members = &cluster.fleet.members;
    let agents: Vec<_> = members
        .iter()
        .map(|member| cluster.podwired_again(member, &[]))
        .collect();
    agents.iter().for_each(|agent| wait_until_usable(agent, 2));
    let pods: Vec<_> = members.iter().map(|member| cluster.pod(member)).collect();
    assert_joined(&pods);
    assert!(overlay_routes(&members[0]).contains(&"10.200.50.0/24".to_owned()));

    cluster.control_plane.resume_service();
    let members = &cluster.fleet.members;
    let [other, fake] = ["10.200.2.0/24", "10.200.51.0/24"];
    let [other_v6, fake_v6] = ["fd00:200:0:2::/64", "fd00:200:0:51::/64"];
    wait_for_routes(&members[0], &[other, fake, other_v6, fake_v6]);
    wait_for_cache(&members[0], "f50", false);
    assert_joined(&pods);
}

/// A cache that cannot be used is as good as none, which is said once.
#[test]
fn a_cache_is_of_no_use() {
    let mut cluster = Cluster::new(1, Stack::V4);
    cluster.kubernetes.create_node(&fake_node(50, Stack::V4));
    cluster.write_kubeconfig(&cluster.fleet.members[0]);
    cluster.control_plane.stop();
    cluster.fleet.members[0]
        .node
        .write(CACHE, "{\"version\": 1, \"node");
    let agent = cluster.podwired_again(&cluster.fleet.members[0], &[]);
    assert!(agent.says(CACHE, PATIENCE), "{}", agent.log());
    cluster.control_plane.resume_service();
    wait_for_routes(&cluster.fleet.members[0], &["10.200.50.0/24"]);
    wait_for_cache(&cluster.fleet.members[0], "f50", true);
    let said = agent.log();
    assert_eq!(said.matches(CACHE).count(), 1, "{said}");
}
