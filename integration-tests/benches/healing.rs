// SPDX-License-Identifier: Apache-2.0
//! How long it takes until the overlay is whole again at 5,000 peers, from somebody's command to
//! the last object in the kernel, with the real agent; and what memory that takes. Each figure is the median of several runs;
//! the look at the kernel by which the end is seen is part of it.
//!
//! The executables are those of PODWIRE_PLUGINS, and should be a release build's.

use std::fs;
use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

use integration_tests::{Agent, LoneNode, Node};
use serde_json::json;

const PEERS: usize = 5000;
const RUNS: usize = 7;
const LIST: &str = "/run/nodes/nodes.json";
/// Damages follow each other so slowly that the look after a repair, and the rest after a look, are
/// over.
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
    site.node.write(LIST, list(peers));
    let begun = Instant::now();
    let agent = Agent::converged(&site.node, &["--nodes", LIST]);
    row("from nothing", begun.elapsed())?;
    assert!(is_whole(&site.node, PEERS), "{}", agent.log());
    for (what, program, arguments) in DAMAGES {
        let mut times: Vec<_> = (0..RUNS)
            .map(|_| heal(&site.node, program, arguments))
            .collect();
        times.sort();
        row(what, times[RUNS / 2])?;
    }
    row("a node added to the list", grow(&site.node, peers))?;
    let status = site.node.read(format!("/proc/{}/status", agent.pid()));
    let is_memory = |line: &&str| line.starts_with("VmRSS") || line.starts_with("VmHWM");
    let mut memory = status.lines().filter(is_memory);
    memory.try_for_each(|line| writeln!(io::stdout(), "{line}"))
}

fn list(peers: u32) -> String {
    let network = ["10.200.0.0/16", "11.0.0.0/8"];
    json!({"network": network, "nodes": LoneNode::nodes(peers)}).to_string()
}

/// The time from the replacement of the list by one with one node more until that one is there.
fn grow(node: &Node, peers: u32) -> Duration {
    thread::sleep(BETWEEN);
    let new = format!("{LIST}.new");
    node.write(&new, list(peers + 1));
    let begun = Instant::now();
    let replaced = node.run(|| fs::rename(&new, LIST));
    replaced.expect("a file of the node can be renamed");
    let grown = node.eventually(LIMIT, || is_whole(node, PEERS + 1));
    assert!(grown.is_some(), "the list is not followed");
    begun.elapsed()
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
    let healed = node.eventually(LIMIT, || is_whole(node, PEERS));
    assert!(healed.is_some(), "{program} {arguments}");
    begun.elapsed()
}

/// Whether each kind of object is there as often as there are peers.
fn is_whole(node: &Node, peers: usize) -> bool {
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
    counts == [peers; 3] && {
        let tables = node.tool("nft", "list tables");
        tables.contains("podwire-overlay")
            && node
                .tool("nft", "list set inet podwire-overlay vteps4")
                .matches("198.18.")
                .count()
                == peers
    }
}
