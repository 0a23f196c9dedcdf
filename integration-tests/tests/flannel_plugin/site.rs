// SPDX-License-Identifier: Apache-2.0
//! A node as flannel leaves it, and what is found on it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use integration_tests::{Network, Node, Outside, Runner, State, binaries};
use serde_json::{Value, json};

/// What flannel says on a node with both families that masquerades.
pub(crate) const SUBNET_ENV: &str = "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\n\
    FLANNEL_IPV6_NETWORK=fd00:244::/48\nFLANNEL_IPV6_SUBNET=fd00:244:0:1::1/64\n\
    FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";

pub(crate) const SUBNET_FILE: &str = "/run/flannel/subnet.env";
pub(crate) const RECORDS: &str = "/var/lib/cni/flannel";

/// Whose `bridge` and `host-local` do the work.
pub(crate) const DELEGATES: [Delegates; 2] = [Delegates::Ours, Delegates::Go];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delegates {
    Ours,
    Go,
}

/// A node with flannel's file, on whose underlay is a host that knows no pod.
pub(crate) struct Site {
    pub(crate) node: Node,
    pub(crate) outside: Outside,
    pub(crate) runner: Runner,
    before: State,
}

impl Site {
    pub(crate) fn new(delegates: Delegates) -> Self {
        let node = Node::new();
        let outside = Outside::new(&node, 1500);
        node.write(SUBNET_FILE, SUBNET_ENV);
        // The Go bridge does not wait until its gateway's address is no duplicate.
        node.write("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
        let theirs = match delegates {
            Delegates::Ours => binaries::plugins().to_owned(),
            Delegates::Go => binaries::go_plugins(),
        };
        let from = |name| match name {
            "flannel" => binaries::plugins().join(name),
            name => theirs.join(name),
        };
        let path = plugins(&node, "plugins", &["flannel", "bridge", "host-local"], from);
        let runner = Runner::with_plugins(&node, path);
        let before = State::of(&node);
        Self {
            node,
            outside,
            runner,
            before,
        }
    }

    /// A runtime that finds only these of Podwire's plugins.
    pub(crate) fn runner_with(&self, names: &[&str]) -> Runner {
        let from = |name| binaries::plugins().join(name);
        let path = plugins(&self.node, &names.join("-"), names, from);
        Runner::with_plugins(&self.node, path)
    }

    /// Asserts that of attachments nothing is on the node. What belongs to a network stays: the
    /// bridge with its gateway, rules and chains, forwarding, directories, and what the stores of
    /// addresses say of themselves.
    pub(crate) fn assert_nothing_left(&self) {
        let kept = [
            "cni0",
            "cni1",
            "forward",
            "podwire",
            "nft",
            "directory /var/lib/cni",
            "last_reserved_ip",
            "/lock",
        ];
        self.before.assert_nothing_left(&self.node, &kept);
        assert_eq!(self.records(), [""; 0]);
        let state = State::of(&self.node);
        for network in ["cbr0", "cbr1"] {
            let leases = integration_tests::bench::leases(&self.node, network);
            assert_eq!(leases, [""; 0], "{state:?}");
        }
    }

    /// The names of the records.
    pub(crate) fn records(&self) -> Vec<String> {
        self.node.list(RECORDS)
    }

    /// What is on record under a name.
    pub(crate) fn record(&self, name: &str) -> Value {
        let text = self.node.read(format!("{RECORDS}/{name}"));
        serde_json::from_str(&text).expect("a record is JSON")
    }

    pub(crate) fn leases(&self) -> Vec<String> {
        integration_tests::bench::leases(&self.node, "cbr0")
    }
}

/// A directory of the node with these plugins.
pub(crate) fn plugins<'a>(
    node: &Node,
    directory: &str,
    names: &[&'a str],
    from: impl Fn(&'a str) -> PathBuf + Send + Sync,
) -> PathBuf {
    let directory = PathBuf::from("/run/lab").join(directory);
    node.run(|| {
        fs::create_dir_all(&directory).expect("a node's /run is writable");
        for name in names {
            symlink(from(name), directory.join(name)).expect("the directory is new");
        }
    });
    directory
}

/// The network of kube-flannel's conflist, without the plugins behind.
pub(crate) fn cbr0() -> Network {
    network("1.1.0", json!({}))
}

/// The same in another version, with these keys of the plugin.
pub(crate) fn network(version: &str, keys: Value) -> Network {
    let plugin = json!({
        "cniVersion": version,
        "name": "cbr0",
        "type": "flannel",
        "delegate": {"hairpinMode": true, "isDefaultGateway": true},
    });
    Network::new(plugin).with_at(0, &keys)
}
