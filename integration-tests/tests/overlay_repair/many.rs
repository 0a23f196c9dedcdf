// SPDX-License-Identifier: Apache-2.0
//! 5,000 peers of both families, of which none exists but in the list.

use integration_tests::{Agent, LoneNode, Node, PATIENCE};
use net::{Event, Monitor};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::lab::{BOTH, LIMIT, LIST, publish, started};

const PEERS: u32 = 5000;
/// The objects of each device and each set that this many peers need.
const ALL: [usize; 8] = [PEERS as usize; 8];

/// A peer that no other test's node collides with.
pub(crate) fn peer(index: u32) -> Value {
    let [_, _, high, low] = index.to_be_bytes();
    let pods = [
        format!("10.{high}.{low}.0/24"),
        format!("fd00:0:0:{index:x}::/64"),
    ];
    json!({"name": format!("peer{index}"), "podCIDRs": pods,
        "underlay": [format!("198.18.{high}.{low}"), format!("2001:db8:18::{index:x}")]})
}

/// The list of the lone node and of so many peers.
fn list(peers: u32) -> String {
    let own = json!({"name": "own", "podCIDRs": ["10.0.0.0/24", "fd00::/64"],
        "underlay": ["192.0.2.2", "2001:db8::2"]});
    let nodes: Value = std::iter::once(own).chain((1..=peers).map(peer)).collect();
    json!({"network": ["10.0.0.0/8", "fd00::/16"], "nodes": nodes}).to_string()
}

/// How many routes, neighbours and forwarding entries each device has, and addresses the guard
/// lets in.
fn held(node: &Node) -> [usize; 8] {
    let rtnl = node.rtnl();
    let mut counts = [0; 8];
    for (device, counts) in BOTH.iter().zip(counts.chunks_mut(3)) {
        // One that is gone has nothing.
        let Ok(Some(link)) = rtnl.link(device) else {
            continue;
        };
        let routes = rtnl.route_entries(Some(link.index), Some(118));
        let permanent = rtnl.neighbours(link.index).map(|all| all.len());
        counts[0] = routes.map_or(0, |all| all.len());
        counts[1] = permanent.unwrap_or(0);
        counts[2] = rtnl.fdb(link.index).map_or(0, |all| all.len());
    }
    let rules = node.tool("nft", "list tables");
    if rules.contains("podwire-overlay") {
        let table = node.tool("nft", "list table inet podwire-overlay");
        counts[6] = table.matches("198.18.").count();
        counts[7] = table.matches("2001:db8:18::").count();
    }
    counts
}

/// Waits until all is there again, and has `status` say so.
fn assert_whole(node: &Node, agent: &Agent) {
    let mut counts = [0; 8];
    let whole = node.eventually(LIMIT, || {
        counts = held(node);
        counts == ALL
    });
    assert!(whole.is_some(), "{counts:?}\n{}", agent.log());
    let status = agent.status();
    assert_eq!(status["differs"], json!([]), "{status}");
    assert_eq!(status["usable"], true, "{status}");
}

#[test]
fn all_of_them_come_again() {
    let site = LoneNode::new();
    publish(&site.node, &list(PEERS));
    let agent = started(&site.node, &[]);
    // Nobody is told that it is usable before it is (reference F14).
    assert_eq!(held(&site.node), ALL);
    let damages: [&[(&str, &str)]; 5] = [
        &[
            ("ip", "link delete podwire.1"),
            ("ip", "link delete podwire-v6.1"),
        ],
        &[
            ("ip", "-4 route flush proto 118"),
            ("ip", "-6 route flush proto 118"),
        ],
        &[("ip", "link set podwire.1 address 02:00:00:00:99:99")],
        &[
            ("ip", "link set podwire.1 down"),
            ("ip", "link set podwire-v6.1 down"),
        ],
        &[("nft", "flush ruleset")],
    ];
    for damage in damages {
        for (program, arguments) in damage {
            site.node.tool(program, arguments);
        }
        assert_whole(&site.node, &agent);
    }
}

/// Whether a change is the one that is waited for.
type IsIt = fn(&Node, Event) -> bool;

/// Kills an agent as soon as the kernel tells of a change that is the one.
fn kill_at(node: &Node, monitor: &Monitor, agent: Agent, is_it: IsIt) {
    let mut killed = false;
    while !killed {
        monitor.wait(PATIENCE).expect("the kernel can wait");
        // More changes come as long as it lives: it has to be killed before all are read.
        monitor.drain_where(|event| {
            if !killed && is_it(node, event) {
                agent.signal(Signal::SIGKILL);
                killed = true;
            }
            killed
        });
    }
    agent.wait();
}

#[test]
fn killed_in_the_middle_of_programming() {
    let is_neighbour = |node: &Node, event: Event| {
        let of_device = |index| {
            let link = node.rtnl().link_at(index).unwrap();
            link.is_some_and(|link| link.name == BOTH[0])
        };
        matches!(event, Event::Neighbour(index) if of_device(index))
    };
    let is_route = |_: &Node, event: Event| event == Event::Route(118);
    let moments: [IsIt; 2] = [is_neighbour, is_route];
    for moment in moments {
        let site = LoneNode::new();
        publish(&site.node, &list(PEERS));
        let monitor = site.node.run(Monitor::open).unwrap();
        let agent = Agent::start(&site.node, &["--nodes", LIST]);
        kill_at(&site.node, &monitor, agent, moment);
        let counts = held(&site.node);
        assert!(counts[..6].iter().any(|count| *count > 0), "{counts:?}");
        assert!(
            counts[..6].iter().any(|count| *count < ALL[0]),
            "{counts:?}"
        );
        let agent = started(&site.node, &[]);
        assert_whole(&site.node, &agent);
    }
}

/// Reference F19: flannel logs whole lists for each event.
#[test]
fn one_more_is_one_line_in_the_log() {
    let site = LoneNode::new();
    publish(&site.node, &list(PEERS - 1));
    let agent = started(&site.node, &[]);
    let before = agent.log();
    publish(&site.node, &list(PEERS));
    assert_whole(&site.node, &agent);
    let log = agent.log();
    let said = log.strip_prefix(&before).expect("a log grows");
    assert!(said.lines().count() <= 2 && said.len() < 500, "{said}");
}
