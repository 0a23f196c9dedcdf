// SPDX-License-Identifier: Apache-2.0
//! `podwired status`: what it says of an overlay that is whole, broken, or not there.

use integration_tests::{Agent, Fleet, Outcome, PATIENCE, Stack, podwired};
use serde_json::json;

const NODES: &str = "/run/lab/nodes.json";
const ARGS: [&str; 2] = ["--nodes", NODES];

/// Three nodes, and the agent of `n1`.
fn cluster() -> (Fleet, Agent) {
    let fleet = Fleet::new(3, Stack::V4);
    let node = &fleet.members[0].node;
    node.write(NODES, fleet.nodes_json());
    let agent = Agent::converged(node, &ARGS);
    (fleet, agent)
}

fn status(fleet: &Fleet) -> Outcome {
    podwired(&fleet.members[0].node, &["status"])
}

fn has_lines(outcome: &Outcome, lines: &[&str]) {
    for line in lines {
        assert!(
            outcome.stdout.lines().any(|it| it.starts_with(line)),
            "{line}: {outcome}"
        );
    }
}

#[test]
fn without_an_agent_there_is_none() {
    let fleet = Fleet::new(1, Stack::V4);
    for args in [&["status"][..], &["status", "--json"]] {
        let outcome = podwired(&fleet.members[0].node, args);
        assert_eq!(outcome.status, Some(1), "{outcome}");
        assert!(
            outcome
                .stderr
                .contains("no state in /run/podwire/overlay.json"),
            "{outcome}"
        );
        assert!(
            outcome.stderr.contains("podwired does not run"),
            "{outcome}"
        );
    }
}

#[test]
fn an_overlay_that_is_whole() {
    let (fleet, agent) = cluster();
    let outcome = status(&fleet);
    assert_eq!(outcome.status, Some(0), "{outcome}");
    let process = format!("agent      runs, process {}", agent.pid());
    has_lines(
        &outcome,
        &[
            "overlay    usable, converged for ",
            "node       n1",
            "devices    podwire.1",
            "pod MTU    1450",
            "network    10.200.0.0/16",
            "pod CIDRs  10.200.1.0/24",
            "peers      2 of 2 programmed",
            &process,
            "dropped    0 packets of strangers, 0 of pods",
        ],
    );
    assert_eq!(outcome.stdout.lines().count(), 9, "{outcome}");
}

#[test]
fn what_differs_is_named_and_left() {
    let (fleet, agent) = cluster();
    let node = &fleet.members[0].node;
    agent.terminate();
    node.ip("route delete 10.200.2.0/24 proto 118");
    node.tool("nft", "delete table inet podwire-overlay");
    for _ in 0..2 {
        let outcome = status(&fleet);
        assert_eq!(outcome.status, Some(1), "{outcome}");
        has_lines(
            &outcome,
            &[
                "overlay    not usable, converged for ",
                "peers      1 of 2 programmed",
                "agent      does not run",
                "differs    due: add route 1",
                "differs    peer n2 is not as it should be",
                "differs    chain ",
            ],
        );
    }
    let json = podwired(node, &["status", "--json"]);
    assert_eq!(json.status, Some(1));
    let json = json.json();
    assert_eq!(
        (
            &json["usable"],
            &json["peersWished"],
            &json["peersProgrammed"],
            &json["agentRunning"]
        ),
        (&json!(false), &json!(2), &json!(1), &json!(false))
    );
    node.ip("link delete podwire.1");
    has_lines(
        &status(&fleet),
        &["peers      0 of 2", "differs    due: create device 1"],
    );
}

#[test]
fn complaints_and_errors_are_told() {
    let (fleet, agent) = cluster();
    let node = &fleet.members[0].node;
    let mut list = fleet.nodes();
    list[2]["podCIDRs"] = json!(["10.99.0.0/24"]);
    node.write(
        NODES,
        json!({"network": "10.200.0.0/16", "nodes": list}).to_string(),
    );
    assert!(agent.says("node n3 keeps", PATIENCE), "{}", agent.log());
    let outcome = status(&fleet);
    assert_eq!(outcome.status, Some(0), "what n3 had stays: {outcome}");
    has_lines(
        &outcome,
        &[
            "peers      2 of 2 programmed",
            "complaint  node n3 is left out: its pod CIDR 10.99.0.0/24",
            "complaint  peers are not compared: podwired keeps to 2 of them, the list has 1 now",
        ],
    );
    node.write(NODES, "{");
    agent.wait_for_state("told", PATIENCE, |state| state["lastError"].is_string());
    let outcome = status(&fleet);
    assert_eq!(
        outcome.status,
        Some(0),
        "the last good list is in force: {outcome}"
    );
    has_lines(
        &outcome,
        &[
            "complaint  peers are not compared: ",
            "last error /run/lab/nodes.json: ",
        ],
    );
}

/// Nothing of an earlier boot is there still.
#[test]
fn a_state_of_an_earlier_boot_is_none() {
    let (fleet, agent) = cluster();
    agent.terminate();
    let node = &fleet.members[0].node;
    let path = "/run/podwire/overlay.json";
    let boot = node.read("/proc/sys/kernel/random/boot_id");
    node.write(path, node.read(path).replace(boot.trim(), "another"));
    let outcome = status(&fleet);
    assert_eq!(outcome.status, Some(1), "{outcome}");
    has_lines(
        &outcome,
        &["not ready  podwired has not programmed the overlay since"],
    );
}
