// SPDX-License-Identifier: Apache-2.0
//! How long it takes until the overlay is whole again at 5,000 peers, from somebody's command to
//! the last object in the kernel, with the real agent. Each figure is the median of several runs;
//! the look at the kernel by which the end is seen is part of it.
//!
//! The executables are those of PODWIRE_PLUGINS, and should be a release build's.

use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

use integration_tests::{Agent, LoneNode, Node};
use serde_json::json;

const PEERS: usize = 5000;
const RUNS: usize = 7;
const LIST: &str = "/run/nodes/nodes.json";
/// Damages follow each other so slowly that the agent does not take them for a quarrel: after each
/// repair it rests four times as long as that took.
const BETWEEN: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(60);

/// What is done, by which program, and how.
const DAMAGES: [(&str, &str, &str); 7] = [
    ("device deleted", "ip", "link delete podwire.1"),
    ("device set down", "ip", "link set podwire.1 down"),
    (
        "MAC address rewritten",
        "ip",
        "link set podwire.1 address 02:00:00:00:99:99",
    ),
    ("routes flushed", "ip", "route flush proto 118"),
    (
        "neighbours flushed",
        "ip",
        "neighbour flush dev podwire.1 nud permanent",
    ),
    (
        "forwarding entries flushed",
        "bridge",
        "fdb flush dev podwire.1",
    ),
    ("ruleset flushed", "nft", "flush ruleset"),
];

fn main() -> io::Result<()> {
    let site = LoneNode::new();
    let peers = u32::try_from(PEERS).expect("there are few");
    let list = json!({"network": ["10.200.0.0/16", "11.0.0.0/8"], "nodes": LoneNode::nodes(peers)});
    site.node.write(LIST, list.to_string());
    let begun = Instant::now();
    let agent = Agent::converged(&site.node, &["--nodes", LIST]);
    row("from nothing", begun.elapsed())?;
    assert!(is_whole(&site.node), "{}", agent.log());
    for (what, program, arguments) in DAMAGES {
        let mut times: Vec<_> = (0..RUNS)
            .map(|_| heal(&site.node, program, arguments))
            .collect();
        times.sort();
        row(what, times[RUNS / 2])?;
    }
    let status = site.node.read(format!("/proc/{}/status", agent.pid()));
    let memory = status.lines().find(|line| line.starts_with("VmRSS"));
    writeln!(io::stdout(), "{}", memory.expect("a process has memory"))
}

fn row(what: &str, time: Duration) -> io::Result<()> {
    let milliseconds = time.as_secs_f64() * 1e3;
    writeln!(io::stdout(), "{what:<30} {milliseconds:>9.1} ms")
}

/// The time from a command's begin until all is there again.
fn heal(node: &Node, program: &str, arguments: &str) -> Duration {
    thread::sleep(BETWEEN);
    let begun = Instant::now();
    node.tool(program, arguments);
    let healed = node.eventually(LIMIT, || is_whole(node));
    assert!(healed.is_some(), "{program} {arguments}");
    begun.elapsed()
}

/// Whether each kind of object is there as often as there are peers.
fn is_whole(node: &Node) -> bool {
    let rtnl = node.rtnl();
    let Ok(Some(device)) = rtnl.link("podwire.1") else {
        return false;
    };
    let routes = rtnl.route_entries(Some(device.index), Some(118));
    let counts = [
        routes.map_or(0, |all| all.len()),
        rtnl.neighbours(device.index).map_or(0, |all| all.len()),
        rtnl.fdb(device.index).map_or(0, |all| all.len()),
    ];
    counts == [PEERS; 3] && {
        let tables = node.tool("nft", "list tables");
        tables.contains("podwire-overlay")
            && node
                .tool("nft", "list set inet podwire-overlay vteps4")
                .matches("198.18.")
                .count()
                == PEERS
    }
}
