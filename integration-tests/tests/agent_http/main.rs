// SPDX-License-Identifier: Apache-2.0
//! What the agent serves over HTTP: whether it is alive, whether it is ready, and what it counts.

mod clients;
mod figures;

use std::fs;
use std::net::SocketAddr;

use integration_tests::http::{Answer, get, until};
use integration_tests::{Agent, Fleet, PATIENCE, Place, Stack};

pub(crate) const NODES: &str = "/run/lab/nodes.json";
pub(crate) const ARGS: [&str; 4] = ["--nodes", NODES, "--http", "127.0.0.1:8474"];

pub(crate) fn server() -> SocketAddr {
    "127.0.0.1:8474".parse().expect("an address and a port")
}

pub(crate) fn ask(node: &Place, path: &str) -> Answer {
    get(node, server(), path, PATIENCE).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Waits until a figure is as it should be: the text may be a second old.
pub(crate) fn wait_for(node: &Place, series: &str, wanted: impl Fn(f64) -> bool) {
    until(node, server(), "/metrics", PATIENCE, |answer| {
        answer.sample(series).is_some_and(&wanted)
    });
}

/// A cluster of IPv4, and the agent of its first node.
pub(crate) fn agent(count: u8, args: &[&str]) -> (Fleet, Agent) {
    let fleet = Fleet::new(count, Stack::V4);
    let node = &fleet.members[0].node;
    node.write(NODES, fleet.nodes_json());
    let agent = Agent::converged(node, args);
    (fleet, agent)
}

#[test]
fn it_is_alive_before_it_is_ready() {
    let fleet = Fleet::new(2, Stack::V4);
    let node = &fleet.members[0].node;
    let agent = Agent::start(node, &ARGS);
    assert!(agent.says("cannot read", PATIENCE), "{}", agent.log());
    let health = ask(node, "/healthz");
    assert_eq!(health.status, 200, "{health:?}");
    assert!(health.body.starts_with("the loop turned "), "{health:?}");
    let ready = ask(node, "/readyz");
    assert_eq!(ready.status, 503, "{ready:?}");
    assert!(ready.body.contains(NODES), "{ready:?}");
    // A list that is known and can't be programmed does not make it ready.
    node.ip("link add podwire.1 type veth peer name other");
    node.write(NODES, fleet.nodes_json());
    let thwarted = until(node, server(), "/readyz", PATIENCE, |answer| {
        answer.body.contains("has the name \"podwire.1\"")
    });
    assert_eq!(thwarted.status, 503, "{thwarted:?}");
    node.ip("link delete podwire.1");
    let is_ready = |answer: &Answer| answer.status == 200;
    until(node, server(), "/readyz", PATIENCE, is_ready);
    assert_eq!(agent.state().unwrap()["converged"], true);
    // The overlay stays, whatever becomes of the list.
    node.run(|| fs::remove_file(NODES)).unwrap();
    let unusable = "podwire_list_readings_total{outcome=\"unusable\"}";
    wait_for(node, unusable, |count| count >= 2.0);
    assert!(is_ready(&ask(node, "/readyz")));
}
