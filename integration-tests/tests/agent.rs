// SPDX-License-Identifier: Apache-2.0
//! The life of the agent: it begins, keeps the overlay whole, ends and begins again, and packets
//! cross all the while.

use integration_tests::{Agent, Conversation, Fleet, LoneNode, Member, PATIENCE, Stack, podwired};
use serde_json::{Value, json};

const NODES: &str = "/run/lab/nodes.json";
const ARGS: [&str; 2] = ["--nodes", NODES];

/// A cluster with its list on each node; the agent of `n1`.
fn cluster(count: u8, stack: Stack) -> (Fleet, Agent) {
    let fleet = Fleet::new(count, stack);
    for member in &fleet.members {
        member.node.write(NODES, fleet.nodes_json());
    }
    let agent = Agent::converged(&fleet.members[0].node, &ARGS);
    (fleet, agent)
}

/// What the kernel has of the overlay, as text.
fn objects(member: &Member) -> Vec<String> {
    let show = |arguments: &str| {
        let mut lines: Vec<_> = member
            .node
            .ip(arguments)
            .lines()
            .map(str::to_owned)
            .collect();
        lines.sort();
        lines
    };
    let routes = ["-4", "-6"].map(|family| show(&format!("{family} route show proto 118")));
    let devices = show("-brief link show type vxlan");
    let neighbours = show("neighbour show nud permanent");
    routes
        .into_iter()
        .flatten()
        .chain(devices)
        .chain(neighbours)
        .collect()
}

/// What the state file of a member says.
fn agent_state(member: &Member) -> String {
    member.node.read("/run/podwire/overlay.json")
}

/// Waits until the kernel has something again; within a second, and the machine may be loaded.
fn heals(member: &Member, what: &str, whole: &[String]) {
    let healed = member
        .node
        .eventually(PATIENCE, || objects(member) == whole);
    assert!(
        healed.is_some(),
        "{what}: {:?} for {whole:?}",
        objects(member)
    );
}

#[test]
fn it_programs_the_list_and_says_so() {
    let (fleet, agent) = cluster(3, Stack::Dual);
    let state = agent.state().unwrap();
    let expected = json!({
        "node": "n1", "devices": ["podwire.1", "podwire-v6.1"], "podMtu": 1430,
        "podCIDRs": ["10.200.1.0/24", "fd00:200:0:1::/64"], "nodesFile": NODES,
        "peersWished": 2, "peersProgrammed": 2, "differing": 0, "takesOver": false,
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&state[key], value, "{key} of {state}");
    }
    assert_eq!(state["settings"]["network"], json!(Fleet::NETWORK));
    let routes = fleet.members[0].node.ip("route show proto 118");
    assert_eq!(routes.lines().count(), 2, "{routes}");
    let status = agent.status();
    assert_eq!(status["usable"], json!(true), "{status}");
    assert_eq!(status["agentProcess"], json!(agent.pid().to_string()));
}

#[test]
fn it_mends_what_others_break() {
    let (fleet, agent) = cluster(3, Stack::Dual);
    let member = &fleet.members[0];
    let whole = objects(member);
    for (program, arguments) in [
        ("ip", "link delete podwire.1"),
        ("ip", "link set podwire-v6.1 down"),
        ("ip", "link set podwire.1 address 02:00:00:00:00:99"),
        ("ip", "route flush proto 118"),
        ("ip", "neighbour flush dev podwire.1 nud permanent"),
        ("ip", "link set podwire.1 mtu 1400"),
    ] {
        member.node.tool(program, arguments);
        heals(member, arguments, &whole);
    }
    let log = agent.log();
    assert!(
        log.contains("repaired the overlay cause=notification"),
        "{log}"
    );
    let rules = || member.node.tool("nft", "list ruleset");
    let before = rules();
    member.node.tool("nft", "flush ruleset");
    let healed = member.node.eventually(PATIENCE, || rules() == before);
    assert!(healed.is_some(), "{}", rules());
}

#[test]
fn it_ends_and_packets_cross_on() {
    let (fleet, agent) = cluster(2, Stack::V4);
    let _other = Agent::converged(&fleet.members[1].node, &ARGS);
    let attach =
        |member: &Member| member.attach(&member.bridge().followed_by(json!({"type": "vxlan"})));
    let pods: Vec<_> = fleet.members.iter().map(attach).collect();
    let server = pods[1].ipv4("eth0");
    let talk = Conversation::start(&pods[0], &pods[1], server, 80);
    let goes_on = || assert!(talk.wait_for(3, PATIENCE));
    goes_on();
    let whole = objects(&fleet.members[0]);
    // The first pod brought a bridge, which is to be guarded, too.
    let rules = || {
        fleet.members[0]
            .node
            .tool("nft", "list table inet podwire-overlay")
    };
    let guarded = fleet.members[0]
        .node
        .eventually(PATIENCE, || rules().contains("cni0"));
    assert!(guarded.is_some(), "{}", rules());
    let ended = agent.terminate();
    assert!(ended.status.success(), "{}", ended.log);
    assert_eq!(objects(&fleet.members[0]), whole);
    let status = podwired(&fleet.members[0].node, &["status"]);
    assert!(
        status.success() && status.stdout.contains("does not run"),
        "{status}"
    );
    goes_on();
    let before = agent_state(&fleet.members[0]);
    let agent = Agent::start(&fleet.members[0].node, &ARGS);
    assert!(
        agent.says("the overlay is usable", PATIENCE),
        "{}",
        agent.log()
    );
    assert_eq!(
        agent_state(&fleet.members[0]),
        before,
        "nothing has changed"
    );
    goes_on();
    agent.kill();
    goes_on();
    assert_eq!(objects(&fleet.members[0]), whole);
}

#[test]
fn what_an_earlier_run_left_is_swept_by_the_first_list() {
    let (mut fleet, agent) = cluster(3, Stack::Dual);
    agent.kill();
    fleet.members.pop();
    let member = &fleet.members[0];
    member.node.write(NODES, fleet.nodes_json());
    let agent = Agent::start(&member.node, &ARGS);
    agent.wait_for_state("swept", PATIENCE, |state| state["peersWished"] == 1);
    let left: Vec<_> = objects(member)
        .into_iter()
        .filter(|it| it.contains("10.200.3."))
        .collect();
    assert_eq!(left, [""; 0]);
}

/// Killed in the middle of programming, and begun again with another list.
#[test]
fn a_killed_agent_leaves_nothing_wrong_for_long() {
    let lone = LoneNode::new();
    let list = |peers: u32| {
        json!({"network": ["10.0.0.0/8", "11.0.0.0/8"], "nodes": LoneNode::nodes(peers)})
            .to_string()
    };
    lone.node.write(NODES, list(5000));
    let agent = Agent::start(&lone.node, &ARGS);
    let begun = lone.node.eventually(PATIENCE, || lone.routes("-4") > 0);
    assert!(begun.is_some(), "{}", agent.log());
    agent.kill();
    lone.node.write(NODES, list(4000));
    let agent = Agent::start(&lone.node, &ARGS);
    assert!(
        agent.says("the overlay is usable", PATIENCE),
        "{}",
        agent.log()
    );
    assert_eq!(lone.routes("-4"), 4000);
    let status = agent.status();
    assert_eq!(status["differs"], json!([]), "{status}");
    assert_eq!(status["peersProgrammed"], json!(4000));
}

#[test]
fn a_second_agent_is_refused_and_named_the_first() {
    let (fleet, agent) = cluster(2, Stack::V4);
    let node = &fleet.members[0].node;
    let refused = Agent::start(node, &ARGS).wait();
    assert!(!refused.status.success());
    let first = format!("another podwired, process {}, runs", agent.pid());
    assert!(refused.log.contains(&first), "{}", refused.log);
    agent.kill();
    let agent = Agent::start(node, &ARGS);
    assert!(
        agent.says("the overlay is usable", PATIENCE),
        "{}",
        agent.log()
    );
}

#[test]
fn other_settings_leave_no_device_of_the_earlier_ones() {
    let (fleet, agent) = cluster(2, Stack::V4);
    agent.terminate();
    let node = &fleet.members[0].node;
    let agent = Agent::start(node, &["--nodes", NODES, "--vni", "7"]);
    let devices = ["podwire.7"];
    agent.wait_for_state("followed", PATIENCE, |state| {
        state["devices"] == json!(devices)
    });
    let links = node.ip("-brief link show type vxlan");
    assert!(
        links.lines().count() == 1 && links.starts_with("podwire.7"),
        "{links}"
    );
}

/// Who undoes repairs is told of once, and the overlay is whole when it ends.
#[test]
fn a_quarrel_is_told_once() {
    let (fleet, agent) = cluster(2, Stack::V4);
    let member = &fleet.members[0];
    let whole = objects(member);
    for _ in 0..15 {
        member.node.ip("route flush proto 118");
        heals(member, "flushed again", &whole);
    }
    assert!(
        agent.says("keeps undoing repairs", PATIENCE),
        "{}",
        agent.log()
    );
    let log = agent.log();
    assert_eq!(log.matches("undoing").count(), 1, "{log}");
    assert_eq!(log.matches("repaired the overlay").count(), 9, "{log}");
}

/// Each line of the log is what was asked for.
#[test]
fn a_log_that_nobody_reads_does_not_end_it() {
    let fleet = Fleet::new(1, Stack::V4);
    let node = &fleet.members[0].node;
    node.write(NODES, fleet.nodes_json());
    let agent = Agent::unheard(node, &ARGS);
    agent.wait_for_state("converged", PATIENCE, |state| state["converged"] == true);
    let ended = agent.terminate();
    assert!(ended.status.success(), "{ended:?}");
}

#[test]
fn the_log_is_text_or_json() {
    let fleet = Fleet::new(2, Stack::V4);
    let node = &fleet.members[0].node;
    node.write(NODES, fleet.nodes_json());
    let agent = Agent::converged(node, &["--nodes", NODES, "--log-format", "json"]);
    assert!(agent.says("the overlay is usable", PATIENCE));
    node.ip("link delete podwire.1");
    assert!(agent.says("repaired", PATIENCE));
    let log = agent.terminate().log;
    for line in log.lines() {
        let line: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(
            line["message"].is_string() && line["level"].is_string(),
            "{line}"
        );
    }
    assert!(log.lines().count() >= 4, "{log}");
}
