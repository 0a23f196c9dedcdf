// SPDX-License-Identifier: Apache-2.0
//! The conflist that the agent writes: when, and what is in it.

use integration_tests::{Agent, Fleet, Member, Network, PATIENCE, Stack, ping};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const NODES: &str = "/run/lab/nodes.json";
const NETWORKS: &str = "/run/lab/net.d";
const CONFLIST: &str = "/run/lab/net.d/10-podwire.conflist";
const TEMPLATE: &str = "/run/lab/template.json";
const ARGS: [&str; 4] = ["--nodes", NODES, "--conflist", CONFLIST];

fn started(fleet: &Fleet, member: &Member, args: &[&str]) -> Agent {
    member.node.write(NODES, fleet.nodes_json());
    let agent = Agent::start(&member.node, &[&ARGS, args].concat());
    assert!(
        agent.says("wrote the conflist", PATIENCE),
        "{}",
        agent.log()
    );
    agent
}

fn conflist(member: &Member) -> Value {
    serde_json::from_str(&member.node.read(CONFLIST)).expect("a conflist is JSON")
}

/// Without a template, and nothing else to be configured on a node.
#[test]
fn the_built_in_one_makes_pods_of_all_nodes_talk() {
    let fleet = Fleet::new(2, Stack::Dual);
    let _agents: Vec<_> = fleet
        .members
        .iter()
        .map(|it| started(&fleet, it, &[]))
        .collect();
    let list = conflist(&fleet.members[0]);
    let ipam = json!({
        "type": "host-local",
        "ranges": [[{"subnet": "10.200.1.0/24"}], [{"subnet": "fd00:200:0:1::/64"}]],
        "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
    });
    assert_eq!(list["plugins"][0]["ipam"], ipam);
    assert_eq!(list["plugins"][0]["mtu"], 1430);
    assert_eq!(
        list["plugins"][1],
        json!({"type": "vxlan", "network": Fleet::NETWORK})
    );
    let attach = |member: &Member| member.attach(&Network::new(conflist(member)));
    let pods: Vec<_> = fleet.members.iter().map(attach).collect();
    for address in pods[1].all_addresses() {
        assert!(ping(&pods[0], address, PATIENCE), "{address}");
    }
    assert_eq!(pods[0].link("eth0").mtu, 1430);
    assert_eq!(
        fleet.members[0].node.list(NETWORKS),
        ["10-podwire.conflist"]
    );
}

/// `/etc` outlives a boot, the overlay does not; nor does `/run`, with the state.
#[test]
fn one_of_an_earlier_boot_does_not_make_the_node_ready() {
    let fleet = Fleet::new(1, Stack::V4);
    let node = &fleet.members[0].node;
    let agent = started(&fleet, &fleet.members[0], &[]);
    agent.terminate();
    node.write(NODES, "[]");
    let list_is_bad = |agent: &Agent| {
        agent.wait_for_state("told", PATIENCE, |state| state["lastError"].is_string());
        assert!(agent.says("in the list", PATIENCE), "{}", agent.log());
    };
    let agent = Agent::start(node, &ARGS);
    list_is_bad(&agent);
    assert_eq!(node.list(NETWORKS), ["10-podwire.conflist"], "same boot");
    agent.terminate();
    node.tool("rm", "/run/podwire/overlay.json");
    let agent = Agent::start(node, &ARGS);
    list_is_bad(&agent);
    assert_eq!(node.list(NETWORKS), [""; 0]);
    node.write(NODES, fleet.nodes_json());
    assert!(
        agent.says("wrote the conflist", PATIENCE),
        "{}",
        agent.log()
    );
}

#[test]
fn it_comes_with_the_overlay_and_follows_what_it_is_made_of() {
    let fleet = Fleet::new(2, Stack::V4);
    let member = &fleet.members[0];
    member.node.ip("link set eth0 down");
    member.node.ip("address flush dev eth0");
    member.node.write(NODES, fleet.nodes_json());
    let agent = Agent::start(&member.node, &[&ARGS[..], &["--node", "n1"]].concat());
    assert!(
        agent.says("no link of this node has", PATIENCE),
        "{}",
        agent.log()
    );
    assert_eq!(
        member.node.list(NETWORKS),
        [""; 0],
        "not before the overlay is usable"
    );
    member.node.ip("address add 192.0.2.11/24 dev eth0");
    member.node.ip("link set eth0 up");
    assert!(
        agent.says("wrote the conflist", PATIENCE),
        "{}",
        agent.log()
    );
    assert_eq!(conflist(member)["plugins"][0]["mtu"], 1450);
    member.node.ip("link set eth0 mtu 1400");
    let smaller = |state: &Value| state["podMtu"] == 1350;
    agent.wait_for_state("smaller", PATIENCE, smaller);
    let written = || agent.log().matches("wrote the conflist").count();
    assert!(
        member
            .node
            .eventually(PATIENCE, || written() == 2)
            .is_some(),
        "{}",
        agent.log()
    );
    assert_eq!(conflist(member)["plugins"][0]["mtu"], 1350);
}

#[test]
fn a_template_of_the_operators_is_filled() {
    let fleet = Fleet::new(2, Stack::V4);
    let member = &fleet.members[0];
    let template = json!({
        "cniVersion": "1.1.0", "name": "mine", "plugins": [
            {"type": "bridge", "bridge": "br0", "mtu": 1300, "isGateway": true,
             "ipam": {"type": "host-local", "dataDir": "/run/lab/leases"}},
            {"type": "vxlan"},
            {"type": "other"},
        ],
    });
    member.node.write(TEMPLATE, template.to_string());
    let state = "/run/lab/state/overlay.json";
    let args = ["--conflist-template", TEMPLATE, "--state", state];
    let _agent = started(&fleet, member, &args);
    let list = conflist(member);
    let expected = json!({
        "cniVersion": "1.1.0", "name": "mine", "plugins": [
            {"type": "bridge", "bridge": "br0", "mtu": 1300, "isGateway": true, "ipam": {
                "type": "host-local", "dataDir": "/run/lab/leases",
                "ranges": [[{"subnet": "10.200.1.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}],
            }},
            {"type": "vxlan", "network": ["10.200.0.0/16"], "stateFile": state},
            {"type": "other"},
        ],
    });
    assert_eq!(list, expected);
}

#[test]
fn a_template_that_is_none_is_refused_at_once() {
    let fleet = Fleet::new(1, Stack::V4);
    let member = &fleet.members[0];
    member.node.write(NODES, fleet.nodes_json());
    let args = [&ARGS[..], &["--conflist-template", TEMPLATE]].concat();
    for (template, expected) in [
        (None, "No such file"),
        (Some("{}"), "it has no \"cniVersion\""),
    ] {
        if let Some(template) = template {
            member.node.write(TEMPLATE, template);
        }
        let ended = Agent::start(&member.node, &args).wait();
        assert!(!ended.status.success());
        assert!(
            ended.log.contains(TEMPLATE) && ended.log.contains(expected),
            "{}",
            ended.log
        );
        assert_eq!(member.node.list(NETWORKS), [""; 0]);
    }
}

/// The runtime says no more than that there is none.
#[test]
fn why_it_is_not_written_is_told_by_the_state() {
    let fleet = Fleet::new(1, Stack::V4);
    let node = &fleet.members[0].node;
    node.write(NODES, fleet.nodes_json());
    node.write("/run/lab/file", "");
    let args = ["--nodes", NODES, "--conflist", "/run/lab/file/10.conflist"];
    let agent = Agent::start(node, &args);
    let told = |state: &Value| {
        let error = state["lastError"].as_str().unwrap_or_default();
        error.contains("cannot write the conflist /run/lab/file/10.conflist")
    };
    let state = agent.wait_for_state("told", PATIENCE, told);
    assert_eq!(state["converged"], true, "{state}");
    node.tool("rm", "/run/lab/file");
    agent.signal(Signal::SIGHUP);
    agent.wait_for_state("over", PATIENCE, |state| state["lastError"].is_null());
}
