// SPDX-License-Identifier: Apache-2.0
//! A cluster of agents, and what can be seen of a node's overlay with other people's programs.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use integration_tests::{Agent, Conversation, Fleet, Member, Node, Pod, Stack, State};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde_json::{Value, json};

/// How long a test waits for a repair; less than until the next audit. A debug build on a loaded
/// machine takes its time with thousands of peers.
pub(crate) const LIMIT: Duration = Duration::from_secs(40);
/// The devices of a cluster of both families.
pub(crate) const BOTH: [&str; 2] = ["podwire.1", "podwire-v6.1"];
/// The file that lists the nodes, on each of them.
pub(crate) const LIST: &str = "/run/nodes/nodes.json";

/// Nodes on each of which an agent runs and a pod is attached.
pub(crate) struct Cluster {
    pub(crate) agents: Vec<Agent>,
    pub(crate) pods: Vec<Pod>,
    pub(crate) fleet: Fleet,
}

impl Cluster {
    pub(crate) fn new(count: u8, stack: Stack) -> Self {
        let fleet = Fleet::new(count, stack);
        let list = fleet.nodes_json();
        Self::of(fleet, &list, &[])
    }

    /// The nodes of a fleet by this list; `options` are the agents'.
    pub(crate) fn of(fleet: Fleet, list: &str, options: &[&str]) -> Self {
        let agents = fleet.members.iter().map(|member| {
            publish(&member.node, list);
            started(&member.node, options)
        });
        let agents = agents.collect();
        let pods = fleet.members.iter().map(attached);
        Self {
            agents,
            pods: pods.collect(),
            fleet,
        }
    }

    pub(crate) fn node(&self, index: usize) -> &Node {
        &self.fleet.members[index].node
    }

    /// Gives all nodes another list.
    pub(crate) fn publish(&self, nodes: &Value) {
        let list = list_of(&self.fleet, nodes);
        for member in &self.fleet.members {
            publish(&member.node, &list);
        }
    }

    /// A connection in each family, from the pod of one node to that of another.
    pub(crate) fn talk(&self, from: usize, to: usize) -> Vec<Conversation> {
        let [client, server] = [from, to].map(|index| &self.pods[index]);
        let port = u16::try_from(8000 + from).expect("there are few nodes");
        let talk = |address| Conversation::start(client, server, address, port);
        server.all_addresses().into_iter().map(talk).collect()
    }

    /// Ends an agent in some way, and starts it again with these options.
    pub(crate) fn restart(&mut self, index: usize, end: impl FnOnce(Agent), options: &[&str]) {
        end(self.agents.remove(index));
        let agent = started(self.node(index), options);
        self.agents.insert(index, agent);
    }

    /// Does something to the first node that its agent has to take back.
    pub(crate) fn heals(&self, damage: impl FnOnce(&Node)) {
        self.heals_to(damage, |_| true);
    }

    /// As [`Self::heals`]; of what was there, only what `ours` says has to come back.
    pub(crate) fn heals_to(&self, damage: impl FnOnce(&Node), ours: impl Fn(&str) -> bool) {
        let (node, agent) = (self.node(0), &self.agents[0]);
        let talks = self.talk(0, 1);
        let look = || {
            let mut seen = view(node);
            seen.retain(|line| ours(line));
            seen
        };
        let (whole, elsewhere) = (look(), view(self.node(1)));
        self.settle(0);
        hold(agent);
        damage(node);
        assert_ne!(look(), whole, "no damage is done");
        let status = agent.status();
        assert_eq!(status["usable"], false, "{status}");
        assert_ne!(status["differs"], json!([]), "{status}");
        agent.signal(Signal::SIGCONT);
        self.assert_becomes(0, &whole, look);
        assert_go_on(&talks);
        let changed = differences(&elsewhere, &view(self.node(1)));
        assert!(changed.is_empty(), "{changed:#?}");
    }

    /// Waits until an agent has no reason left to look at devices and peers: two rules are spoiled,
    /// one after the other, and with them it mends all that it heard of before, and looks again
    /// because of what it wrote.
    pub(crate) fn settle(&self, index: usize) {
        let node = self.node(index);
        for _ in 0..2 {
            node.tool(
                "nft",
                "add element inet podwire-overlay vteps4 { 192.0.2.250 }",
            );
            let set = || node.tool("nft", "list set inet podwire-overlay vteps4");
            let mended = node.eventually(LIMIT, || !set().contains("192.0.2.250"));
            assert!(mended.is_some(), "{}", self.agents[index].log());
        }
    }

    /// Waits until a node looks like this, and then has its agent say that nothing differs.
    pub(crate) fn assert_becomes(
        &self,
        index: usize,
        whole: &BTreeSet<String>,
        look: impl Fn() -> BTreeSet<String>,
    ) {
        let mut left = Vec::new();
        let healed = self.node(index).eventually(LIMIT, || {
            left = differences(whole, &look());
            left.is_empty()
        });
        let log = self.agents[index].log();
        assert!(healed.is_some(), "{left:#?}\n{log}");
        self.assert_right(index);
    }

    /// An agent says that the kernel holds what it should, if not now then soon.
    pub(crate) fn assert_right(&self, index: usize) {
        let agent = &self.agents[index];
        let mut status = Value::Null;
        let right = self.node(index).eventually(LIMIT, || {
            status = agent.status();
            status["differs"] == json!([])
        });
        assert!(right.is_some(), "{status:#}\n{}", agent.log());
        agent.wait_for_state("converged", LIMIT, |state| state["converged"] == true);
        let status = agent.status();
        assert_eq!(status["usable"], true, "{status:#}\n{}", agent.log());
    }
}

/// A member's first pod; its bridge is one that the guard knows then.
fn attached(member: &Member) -> Pod {
    let network = member.bridge().followed_by(json!({"type": "vxlan"}));
    let pod = member.attach(&network);
    let sources = "list chain inet podwire-overlay sources";
    let known = || member.node.tool("nft", sources).contains("\"cni0\"");
    assert!(member.node.eventually(LIMIT, known).is_some());
    pod
}

/// The content of a file that lists these nodes, in a fleet's networks.
pub(crate) fn list_of(fleet: &Fleet, nodes: &Value) -> String {
    let mut list: Value = serde_json::from_str(&fleet.nodes_json()).expect("it is JSON");
    list["nodes"] = nodes.clone();
    list.to_string()
}

/// Puts a list in the place of the one that a node has.
pub(crate) fn publish(node: &Node, list: &str) {
    let next = format!("{LIST}.next");
    node.write(&next, list);
    node.run(|| fs::rename(&next, LIST))
        .expect("both are in one directory");
}

/// An agent that has programmed the list. What it finds in the state file is an earlier one's.
pub(crate) fn started(node: &Node, options: &[&str]) -> Agent {
    // The kernel tells of a new device's IPv6 address a second later when nobody else has it, and
    // that would be a reason to look.
    node.write("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
    let agent = Agent::start(node, &[&["--nodes", LIST], options].concat());
    let usable = agent.says("the overlay is usable", LIMIT);
    assert!(usable, "not usable:\n{}", agent.log());
    agent
}

/// Stops an agent, until it gets SIGCONT.
pub(crate) fn hold(agent: &Agent) {
    agent.signal(Signal::SIGSTOP);
    let pid = Pid::from_raw(agent.pid().try_into().expect("a process ID is a pid_t"));
    let status = waitpid(pid, Some(WaitPidFlag::WUNTRACED));
    assert_eq!(status, Ok(WaitStatus::Stopped(pid, Signal::SIGSTOP)));
}

/// Connections that are open go on.
pub(crate) fn assert_go_on(talks: &[Conversation]) {
    for talk in talks {
        assert!(talk.wait_for(20, LIMIT), "{} is cut off", talk.seen());
    }
}

/// What is none of the overlay's: nobody may touch it.
pub(crate) fn add_strangers(node: &Node) {
    for command in [
        "link add stranger type bridge mcast_snooping 0",
        "address add 203.0.113.1/24 dev stranger",
        "link set stranger up",
        // Within the networks of all pods, as a gateway's own might be.
        "route add 10.200.77.0/24 dev stranger",
        "route add 198.51.100.0/24 dev stranger metric 118",
        "-6 route add fd00:200:0:77::/64 dev stranger",
        "neighbour add 203.0.113.7 lladdr 02:00:00:00:00:77 dev stranger nud permanent",
        "neighbour add 2001:db8:77::7 lladdr 02:00:00:00:00:77 dev stranger nud permanent",
    ] {
        node.ip(command);
    }
    for command in [
        "add table inet stranger",
        "add set inet stranger friends { type ipv4_addr ; elements = { 192.0.2.77 } ; }",
        "add chain inet stranger forward { type filter hook forward priority 0 ; }",
        "add rule inet stranger forward ip saddr @friends counter accept",
    ] {
        node.tool("nft", command);
    }
}

/// What a view lacks of another one, and what it has beyond it.
pub(crate) fn differences(whole: &BTreeSet<String>, seen: &BTreeSet<String>) -> Vec<String> {
    let missing = whole.difference(seen).map(|line| format!("- {line}"));
    let surplus = seen.difference(whole).map(|line| format!("+ {line}"));
    missing.chain(surplus).collect()
}

/// A node's links, addresses, routes, permanent neighbours, forwarding entries, rules and sysctls,
/// as far as a test or an agent makes them, one per line.
pub(crate) fn view(node: &Node) -> BTreeSet<String> {
    let state = State::of(node);
    let lasting = state.lines_with("").into_iter();
    let lasting = lasting.filter(|line| !line.starts_with("file ") && !line.starts_with("dir"));
    let mut lines: BTreeSet<_> = lasting.map(str::to_owned).collect();
    for device in node.ip("-o -details link show type vxlan").lines() {
        // The number before the name is another one for each new device.
        let (_, device) = device.split_once(": ").expect("a number is first");
        lines.insert(format!("device {device}"));
    }
    for neighbour in node.ip("neighbour show nud permanent").lines() {
        lines.insert(format!("neighbour {}", neighbour.trim()));
    }
    let entries = node.tool("bridge", "fdb show");
    for entry in entries.lines().filter(|entry| entry.contains(" podwire")) {
        lines.insert(format!("fdb {}", entry.trim()));
    }
    lines.extend(BOTH.iter().flat_map(|device| sysctls(node, device)));
    lines
}

/// The sysctls of a device that the overlay depends on.
fn sysctls(node: &Node, device: &str) -> Vec<String> {
    let paths = [
        format!("ipv4/conf/{device}/rp_filter"),
        format!("ipv4/conf/{device}/forwarding"),
        format!("ipv6/conf/{device}/accept_ra"),
        format!("ipv6/conf/{device}/disable_ipv6"),
    ];
    let read = |path: &String| fs::read_to_string(format!("/proc/sys/net/{path}")).ok();
    let line = |path: &String| Some(format!("sysctl {path} = {}", read(path)?.trim()));
    node.run(|| paths.iter().filter_map(line).collect())
}
