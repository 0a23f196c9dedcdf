// SPDX-License-Identifier: Apache-2.0
//! A node in use: pods of two networks are attached already, so that whatever one more attachment
//! makes is its own, and a test can demand that the node comes back to exactly what it was.

use std::fs::{Permissions, set_permissions};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Map, Value, json};

use crate::binaries;
use crate::execution::Execution;
use crate::network::Network;
use crate::node::Node;
use crate::outside::Outside;
use crate::pod::Pod;
use crate::runner::Runner;
use crate::state::State;

/// The subnets of network `pods`.
pub const SUBNETS: [&str; 2] = ["10.1.5.0/24", "fd00:1:5::/64"];
/// Where [`Bench::script`] puts plugins of a test's own.
const SCRIPTS: &str = "/run/lab/bin";

/// A node, its runtime, and a network on which something of an attachment is found at each place
/// where a plugin keeps anything: links, addresses of both families, the index, elements of the
/// masquerade and of the source-MAC check.
#[derive(Debug)]
pub struct Bench {
    /// The node. Its own interface is called `eth0`, as those of its pods.
    pub node: Node,
    /// The runtime, with Podwire's plugins.
    pub runner: Runner,
    /// The network `pods`: 10.1.5.0/24 and fd00:1:5::/64, gateway on bridge `cni0`.
    pub network: Network,
    /// A pod of this network that stays.
    pub keeper: Pod,
    /// A pod of the other network, `cluster`, that stays too.
    pub stranger: Pod,
    _outside: Outside,
    before: State,
}

impl Bench {
    /// A node with one pod of network `pods` and one of `cluster`, whose subnets enclose those of
    /// `pods`: so each pod of `pods` is masqueraded by elements of its own.
    ///
    /// # Panics
    /// When the first attachments fail.
    pub fn new() -> Self {
        Self::of(network("pods", "cni0", &SUBNETS))
    }

    /// The same with another network `pods`, of these subnets too.
    ///
    /// # Panics
    /// See [`Bench::new`].
    pub fn of(network: Network) -> Self {
        let node = Node::new();
        let outside = Outside::new(&node, 1500);
        let runner = Runner::new(&node);
        let other = network_of_others();
        let attach = |name, network| {
            let pod = node.pod(name);
            let added = runner.add(network, &pod, "eth0");
            added.unwrap_or_else(|failure| panic!("{failure}"));
            pod
        };
        let stranger = attach("stranger", &other);
        let keeper = attach("keeper", &network);
        let before = State::of(&node);
        Self {
            node,
            runner,
            network,
            keeper,
            stranger,
            _outside: outside,
            before,
        }
    }

    /// Attaches a new pod to `pods` by its interface `eth0`.
    ///
    /// # Panics
    /// When that fails.
    pub fn attach(&self, name: &str) -> Pod {
        let pod = self.node.pod(name);
        let added = self.runner.add(&self.network, &pod, "eth0");
        added.unwrap_or_else(|failure| panic!("{failure}"));
        pod
    }

    /// The configuration of `pods` as its plugin reads it, for tests that spoil it.
    pub fn configuration(&self) -> Value {
        configuration(&self.network)
    }

    /// One call for `eth0` of a container of this name, to be changed by a test before it runs.
    pub fn call(&self, verb: &str, container: &str) -> Execution {
        call(&self.runner, &self.network, verb, container)
    }

    /// Takes what is on the node now for what it must come back to.
    pub fn settle(&mut self) {
        self.before = State::of(&self.node);
    }

    /// What there is beside the first pods, and what is gone of theirs; see [`State::differences`].
    pub fn differences(&self) -> Vec<String> {
        self.before.differences(&State::of(&self.node))
    }

    /// Asserts that nothing is on the node but what the first pods have.
    ///
    /// # Panics
    /// When it is not so.
    pub fn assert_clean(&self) {
        self.before.assert_nothing_left(&self.node, &[]);
    }

    /// The command lines of the processes that are in the node or one of its pods.
    pub fn processes(&self) -> Vec<String> {
        self.node.processes()
    }

    /// The addresses that the store of `pods` holds, by the names of its files.
    pub fn leases(&self) -> Vec<String> {
        leases(&self.node, self.network.name())
    }

    /// Puts a plugin of the test's own, a program for `sh`, in front of Podwire's; returns the
    /// value for CNI_PATH.
    pub fn script(&self, name: &str, text: &str) -> String {
        script(&self.node, name, text)
    }
}

impl Default for Bench {
    fn default() -> Self {
        Self::new()
    }
}

/// A network with all that leaves a trace: gateway, masquerade and the source-MAC check.
pub fn network(name: &str, bridge: &str, subnets: &[&str]) -> Network {
    let keys = json!({"bridge": bridge, "ipMasq": true, "macspoofchk": true});
    Network::of_bridge(name, subnets, keys)
}

fn network_of_others() -> Network {
    network("cluster", "cni1", &["10.1.0.0/16", "fd00:1::/32"])
}

/// The addresses that the store of a network holds, by the names of its files.
pub fn leases(node: &Node, network: &str) -> Vec<String> {
    let mut names = node.list(format!("/var/lib/cni/networks/{network}"));
    names.retain(|name| name.parse::<IpAddr>().is_ok());
    names
}

/// What the first plugin of a network reads.
///
/// # Panics
/// When the network has no plugin.
pub fn configuration(network: &Network) -> Value {
    network.configuration(&network.plugins()[0], &Map::new())
}

/// One call of the first plugin of a network, for `eth0` of a container of this name.
pub fn call(runner: &Runner, network: &Network, verb: &str, container: &str) -> Execution {
    let call = runner.call(verb, network, &network.plugins()[0], None);
    call.env("CNI_CONTAINERID", container)
        .env("CNI_NETNS", format!("/run/netns/{container}"))
        .env("CNI_IFNAME", "eth0")
}

/// See [`Bench::script`].
///
/// # Panics
/// When the file can't be made executable.
pub fn script(node: &Node, name: &str, text: &str) -> String {
    let path = format!("{SCRIPTS}/{name}");
    node.write(&path, format!("#!/bin/sh\n{text}\n"));
    let mode = Permissions::from_mode(0o755);
    node.run(|| set_permissions(&path, mode))
        .unwrap_or_else(|error| panic!("{path}: {error}"));
    format!("{SCRIPTS}:{}", binaries::plugins().display())
}
