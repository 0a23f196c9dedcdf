// SPDX-License-Identifier: Apache-2.0
//! A node that is switched over with its pods running: DEL takes away what the Go plugin made.

use integration_tests::{Echo, Node, Outside, Pod, Runner, State, ask_tcp, binaries};
use serde_json::json;

use crate::site::{NODE, Site, both, network};

fn switched_over(backend: &str, count: fn(&Node, &str) -> usize) {
    let site = Site::new();
    let go = Runner::with_plugins(&site.node, binaries::go_plugins());
    let network = |port| network(both(port)).with_at(1, &json!({"backend": backend}));
    let pods = [8080, 8081].map(|port| {
        let pod = site.node.any_pod();
        let added = go.add(&network(port), &pod, "eth0");
        added.expect("the Go plugins attach");
        pod
    });
    let server = Echo::start(&pods[0], pods[0].ipv4("eth0"), 80);
    let address = std::net::SocketAddr::new(NODE[0], 8080);
    let seen = ask_tcp(&site.outside, address).expect("the pod answers");
    assert_eq!(seen.ip(), Outside::V4);
    drop(server);
    let traces = |pod: &Pod| count(&site.node, pod.name());
    assert!(traces(&pods[0]) > 0 && traces(&pods[1]) > 0);
    let kept = traces(&pods[1]);
    let deleted = site.runner.del(&network(8080), &pods[0], "eth0");
    deleted.expect("DEL takes the Go plugins' traces");
    assert_eq!((traces(&pods[0]), traces(&pods[1])), (0, kept));
    let deleted = site
        .runner
        .del_with(&network(8081), pods[1].name(), "", "eth0");
    deleted.expect("DEL needs no sandbox");
    assert_eq!(traces(&pods[1]), 0);
    let state = State::of(&site.node);
    assert_eq!(state.lines_with(" nat CNI-DN-"), [""; 0]);
}

#[test]
fn of_the_backend_nftables() {
    // The comment of its rules is the container's ID.
    switched_over("nftables", |node, pod| {
        let comment = format!("\"comment\":\"{pod}\"");
        State::of(node).lines_with(&comment).len()
    });
}

#[test]
fn of_the_backend_iptables() {
    switched_over("iptables", |node, pod| {
        let rules = node.tool("iptables-save", "-t nat") + &node.tool("ip6tables-save", "-t nat");
        let id = format!("id: \\\"{pod}\\\"");
        rules.lines().filter(|line| line.contains(&id)).count()
    });
}
