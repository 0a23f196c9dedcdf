// SPDX-License-Identifier: Apache-2.0
//! A node with podman, the world outside, and what the node had before.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use e2e_tests::{PATIENCE, Podman, root_of_the_machine};
use integration_tests::{Network, Node, Outside, Place, State, http};
use serde_json::Value;

/// The network that most tests make.
pub(crate) const NETWORK: &str = "own";
/// Its options: dual stack.
pub(crate) const SUBNETS: &str = "--subnet 10.77.5.0/24 --ipv6 --subnet fd00:77:5::/64 --gateway 10.77.5.1 --gateway fd00:77:5::1";

/// What only attachments have, in the lines of a node's state.
const OF_AN_ATTACHMENT: [&str; 5] = ["link veth", "hostport4", "hostport6", "CNI-DN-", "/netns-"];

/// A node with podman, and a host outside.
pub(crate) struct Site<'a> {
    pub(crate) podman: Podman<'a>,
    pub(crate) outside: Outside,
    pub(crate) node: &'a Node,
    before: State,
}

/// Runs a test on a new node with podman and the plugins of a directory, and sees to it that no
/// container, and no network of podman's, leaves anything but what `kept` names.
pub(crate) fn on_site(plugins: &Path, kept: &[&str], test: impl FnOnce(&Site<'_>)) {
    if !root_of_the_machine("podman") {
        return;
    }
    let node = Node::new();
    let outside = Outside::new(&node, 1500);
    let podman = Podman::new(&node, plugins);
    // What podman itself makes once: a directory for namespaces.
    podman.run("first", "--network none");
    podman.say("rm --force --time 0 first");
    let before = State::of(&node);
    let site = Site {
        podman,
        outside,
        node: &node,
        before,
    };
    test(&site);
    site.before.assert_nothing_left(&node, kept);
    site.assert_no_attachment();
}

impl Site<'_> {
    /// Makes a network, and says what podman wrote for it.
    pub(crate) fn create(&self, name: &str, options: &str) -> Network {
        self.podman.say(&format!("network create {options} {name}"));
        self.conflist(name)
    }

    /// The conflist of a network, as podman wrote it.
    pub(crate) fn conflist(&self, name: &str) -> Network {
        let path = format!("{}/{name}.conflist", Podman::NETWORKS);
        Network::parse(&self.node.read(path))
    }

    /// What there is on the node now and was not before the test, and the other way round.
    pub(crate) fn differences(&self) -> Vec<String> {
        self.before.differences(&State::of(self.node))
    }

    /// What there is of attachments: interfaces, namespaces, addresses taken, rules of a single one,
    /// results that podman has kept.
    pub(crate) fn attachments(&self) -> Vec<String> {
        let mut found = self.differences();
        found.retain(|line| {
            let name = line.rsplit('/').next().unwrap_or_default();
            let lease = line.contains("/networks/") && name.parse::<IpAddr>().is_ok();
            lease || OF_AN_ATTACHMENT.iter().any(|word| line.contains(word))
        });
        for directory in ["/run/netns", "/var/lib/cni/results"] {
            let names = self.node.list(directory).into_iter();
            found.extend(names.map(|name| format!("{directory}/{name}")));
        }
        found
    }

    /// Asserts that of containers nothing is left; of networks there may be.
    pub(crate) fn assert_no_attachment(&self) {
        assert_eq!(self.attachments(), [""; 0]);
    }

    /// Ends a container, and sees that nothing is left of it, and it was the last one.
    pub(crate) fn end_last(&self, name: &str) {
        self.podman.say(&format!("rm --force --time 0 {name}"));
        self.assert_no_attachment();
    }
}

/// The client that a container's server sees, if it answers within a limit.
pub(crate) fn page(from: &Place, address: IpAddr, port: u16, limit: Duration) -> Option<IpAddr> {
    let server = SocketAddr::new(address, port);
    let answer = http::get(from, server, "/cgi-bin/client", limit).ok()?;
    let client: IpAddr = answer
        .body
        .trim_matches(['[', ']', '\n', '\r'])
        .parse()
        .ok()?;
    Some(client.to_canonical())
}

/// Asserts that a container's server sees a client at an address, and returns that one.
pub(crate) fn seen(from: &Place, address: IpAddr, port: u16) -> IpAddr {
    let client = page(from, address, port, PATIENCE);
    client.unwrap_or_else(|| panic!("nobody answers at {address} port {port}"))
}

/// The type of each plugin of a network.
pub(crate) fn types(network: &Network) -> Vec<String> {
    let list: Value = serde_json::from_str(&network.text()).expect("a conflist is JSON");
    let plugins = list["plugins"].as_array().expect("it has plugins").iter();
    let types = plugins.map(|plugin| plugin["type"].as_str().expect("each has a type").to_owned());
    types.collect()
}
