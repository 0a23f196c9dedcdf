// SPDX-License-Identifier: Apache-2.0
//! `podwired cleanup`: the node as it was before the overlay.

use integration_tests::{Agent, Fleet, PATIENCE, Stack, State, podwired};

const NODES: &str = "/run/lab/nodes.json";

#[test]
fn nothing_of_it_is_left_after_a_cleanup() {
    let fleet = Fleet::new(2, Stack::Dual);
    let node = &fleet.members[0].node;
    node.write(NODES, fleet.nodes_json());
    let before = State::of(node);
    let conflist = "/run/lab/net.d/10-podwire.conflist";
    let agent = Agent::converged(node, &["--nodes", NODES, "--conflist", conflist]);
    assert!(
        agent.says("wrote the conflist", PATIENCE),
        "{}",
        agent.log()
    );
    let cleanup = || podwired(node, &["cleanup", "--conflist", conflist]);
    let refused = cleanup();
    assert!(
        !refused.success() && refused.stderr.contains("another podwired"),
        "{refused}"
    );
    assert!(agent.terminate().status.success());
    let done = cleanup();
    assert!(
        done.success() && done.stdout.contains("delete device: 2"),
        "{done}"
    );
    before.assert_nothing_left(
        node,
        &["directory /run/podwire", "directory /run/lab/net.d"],
    );
    let again = cleanup();
    assert!(again.success() && again.stdout.is_empty(), "{again}");
}

/// The state is lost: the command line says what is to be removed.
#[test]
fn a_cleanup_needs_no_state() {
    let fleet = Fleet::new(2, Stack::V4);
    let node = &fleet.members[0].node;
    node.write(NODES, fleet.nodes_json());
    let before = State::of(node);
    let args = ["--nodes", NODES, "--vni", "7", "--direct-routing"];
    Agent::converged(node, &args).kill();
    node.run(|| std::fs::remove_file("/run/podwire/overlay.json"))
        .unwrap();
    let done = podwired(
        node,
        &["cleanup", "--vni", "7", "--network", "10.200.0.0/16"],
    );
    assert!(done.success(), "{done}");
    before.assert_nothing_left(node, &["directory /run/podwire"]);
}
