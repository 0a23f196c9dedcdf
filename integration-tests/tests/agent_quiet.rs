// SPDX-License-Identifier: Apache-2.0
//! The agent does nothing while nothing happens to the overlay, whatever happens beside it.

use std::fs;

use integration_tests::{Agent, Fleet, Node, PATIENCE, Stack};

const NODES: &str = "/run/lab/nodes.json";
const ARGS: [&str; 4] = ["--nodes", NODES, "--log-level", "debug"];

/// How often the agent looked at anything in the kernel.
fn looks(agent: &Agent) -> usize {
    agent.log().matches("DEBUG looked").count()
}

/// The kernel tells of a new device's IPv6 address a second later, when nobody else has it; from
/// now on it is sure at once.
fn without_detection(node: &Node) {
    node.write("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
}

/// An agent that has looked once more after it has programmed the list.
fn settled(node: &Node) -> Agent {
    without_detection(node);
    let agent = Agent::converged(node, &ARGS);
    let settled = agent.says("looked cause=notification scope=Everything", PATIENCE);
    assert!(settled, "{}", agent.log());
    agent
}

/// Has the agent repair something, which it hears of after all else that happened before; how
/// often it has looked since there were `before` looks.
fn looks_until_repaired(node: &Node, agent: &Agent, before: usize) -> usize {
    node.ip("link delete podwire.1");
    assert!(agent.says("create device 1", PATIENCE), "{}", agent.log());
    looks(agent) - before
}

/// Pods come and go, and of the overlay's peers, of which there may be thousands, nobody asks.
#[test]
fn pods_cost_no_look_at_the_peers() {
    let fleet = Fleet::new(3, Stack::Dual);
    let member = &fleet.members[0];
    member.node.write(NODES, fleet.nodes_json());
    let agent = settled(&member.node);
    let network = member.bridge();
    // The first one brings the bridge, which the guard has to know.
    let first = member.attach(&network);
    let rules = || member.node.tool("nft", "list table inet podwire-overlay");
    assert!(
        member
            .node
            .eventually(PATIENCE, || rules().contains("cni0"))
            .is_some()
    );
    let before = looks(&agent);
    for _ in 0..20 {
        let pod = member.attach(&network);
        member.runner.del(&network, &pod, "eth0").unwrap();
    }
    let looks = looks_until_repaired(&member.node, &agent, before);
    assert!(
        (1..=3).contains(&looks),
        "the bridge, the repair, and one more: {looks}\n{}",
        agent.log()
    );
    drop(first);
}

/// Another program's links, addresses, neighbours and routes are none of the agent's business.
#[test]
fn neither_do_others_links_and_routes() {
    let fleet = Fleet::new(2, Stack::V4);
    let member = &fleet.members[0];
    member.node.write(NODES, fleet.nodes_json());
    let agent = settled(&member.node);
    let before = looks(&agent);
    for arguments in [
        "link add v0 type veth peer name v1",
        "link set v0 up",
        "address add 198.51.100.1/24 dev v0",
        "neighbour add 198.51.100.2 lladdr 02:00:00:00:00:02 dev v0",
        "route add 203.0.113.0/24 via 198.51.100.2 dev v0 onlink",
        "link delete v0",
    ] {
        member.node.ip(arguments);
    }
    let looks = looks_until_repaired(&member.node, &agent, before);
    assert!(
        (1..=3).contains(&looks),
        "that of the list, the repair, and one more each: {looks}\n{}",
        agent.log()
    );
}

/// What disturbs the overlay is heard of; an audit would come a minute later.
#[test]
fn what_matters_is_heard_of() {
    let fleet = Fleet::new(2, Stack::V4);
    let member = &fleet.members[0];
    member.node.write(NODES, fleet.nodes_json());
    let agent = settled(&member.node);
    member.node.tool("nft", "flush ruleset");
    assert!(
        agent.says("operations=\"set rules", PATIENCE),
        "{}",
        agent.log()
    );
    member.node.ip("link set eth0 mtu 1400");
    assert!(
        agent.says("adapted the overlay to the host", PATIENCE),
        "{}",
        agent.log()
    );
    assert!(member.node.ip("link show podwire.1").contains("mtu 1350"));
}

/// Nobody but the file itself tells that somebody wrote there.
#[test]
fn what_is_written_to_sysctls_is_heard_of() {
    for path in [
        "ipv6/conf/podwire.1/accept_ra",
        "ipv4/conf/podwire.1/rp_filter",
    ] {
        let fleet = Fleet::new(2, Stack::Dual);
        let node = &fleet.members[0].node;
        node.write(NODES, fleet.nodes_json());
        let agent = settled(node);
        let path = format!("/proc/sys/net/{path}");
        let right = node.read(&path);
        node.write(&path, "1");
        assert!(agent.says("set sysctl 1", PATIENCE), "{}", agent.log());
        assert_eq!(node.read(&path), right, "{path}");
    }
}

/// An audit that finds nothing writes nothing, neither to the kernel nor to a file nor to the log.
#[test]
fn an_audit_is_silent() {
    let fleet = Fleet::new(3, Stack::Dual);
    let node = &fleet.members[0].node;
    without_detection(node);
    node.write(NODES, fleet.nodes_json());
    let args = ["--audit-interval", "1", "--log-level", "trace"];
    let agent = Agent::converged(node, &[&ARGS[..2], &args].concat());
    assert!(agent.says("cause=audit", PATIENCE), "{}", agent.log());
    let monitor = node.run(net::Monitor::open).unwrap();
    let mut rules = node.run(nft::Monitor::open).unwrap();
    let written = || {
        node.run(|| {
            fs::metadata("/run/podwire/overlay.json")
                .unwrap()
                .modified()
        })
        .unwrap()
    };
    let (state, before) = (written(), agent.log());
    let said = |log: &str| {
        log.lines()
            .filter(|line| !line.contains("DEBUG looked"))
            .count()
    };
    let audits = |log: &str| log.matches("cause=audit").count();
    while audits(&agent.log()) < audits(&before) + 2 {
        monitor.wait(PATIENCE / 50).unwrap();
    }
    assert!(monitor.drain().is_empty());
    assert!(!rules.drain().unwrap());
    assert_eq!(written(), state);
    assert_eq!(said(&agent.log()), said(&before), "{}", agent.log());
}
