// SPDX-License-Identifier: Apache-2.0
//! What these tests begin with: a node of containerd's with one pod that stays.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use e2e_tests::{Containerd, PATIENCE, PodConfig, Release, root_of_the_machine};
use integration_tests::{Outside, Place, State, http};

/// The port of the node that leads to the pod that stays.
pub(crate) const KEEPERS_PORT: u16 = 8000;

/// What a scenario is played with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting<'a> {
    pub(crate) release: Release,
    pub(crate) plugins: &'a Path,
}

/// Plays a scenario with both releases of containerd, where that can be.
pub(crate) fn with_both(test: &str, plugins: &Path, scenario: impl Fn(Setting<'_>)) {
    if !root_of_the_machine("containerd") {
        return;
    }
    for release in [Release::Debian, Release::Current] {
        eprintln!("{test} with containerd of {release:?}");
        scenario(Setting { release, plugins });
    }
}

impl Setting<'_> {
    /// A node of containerd's without a pod.
    pub(crate) fn containerd(&self, conflist: &str) -> Containerd {
        Containerd::start(self.release, self.plugins, conflist)
    }
}

/// A node on which whatever one more pod makes is its own.
pub(crate) struct Lab {
    pub(crate) containerd: Containerd,
    /// The pod that stays.
    pub(crate) keeper: String,
    before: State,
}

impl Lab {
    /// Runs the pod that stays, with a port of the node.
    pub(crate) fn new(containerd: Containerd) -> Self {
        let keeper = PodConfig::new("keeper").with_port("TCP", KEEPERS_PORT, 80);
        let keeper = containerd.run_server(&keeper);
        let before = State::of(&containerd.node);
        Self {
            containerd,
            keeper,
            before,
        }
    }

    /// Asserts that nothing is on the node but what the pod that stays has, and its network.
    pub(crate) fn assert_clean(&self) {
        let node = &self.containerd.node;
        self.before.assert_nothing_left(node, &[]);
        let namespaces = node.list("/run/netns");
        assert_eq!(namespaces.len(), 1, "{namespaces:?}");
    }

    /// Runs a pod whose port 80 is the node's 8080, and asks it by all addresses and ports from all
    /// sides, and asks others from it; then removes it, and nothing is left.
    pub(crate) fn assert_pods_serve(&self) {
        let containerd = &self.containerd;
        let pod = PodConfig::new("pod").with_port("TCP", 8080, 80);
        let sandbox = containerd.run_server(&pod);
        let [kept, addresses] =
            [&self.keeper, &sandbox].map(|sandbox| containerd.addresses(sandbox));
        let [keeper, own] = [&self.keeper, &sandbox].map(|sandbox| containerd.network(sandbox));
        assert_eq!(own.all_addresses(), addresses, "all are told of");
        for (address, keepers) in addresses.iter().zip(&kept) {
            assert_eq!(ask(&containerd.node, *address, 80, "/"), "pod");
            assert_eq!(seen(&keeper, *address, 80), *keepers);
            assert_eq!(seen(&own, *keepers, 80), *address);
        }
        for address in &addresses {
            let (node, client) = match address.is_ipv4() {
                true => (Outside::NODE_V4, Outside::V4),
                false => (Outside::NODE_V6, Outside::V6),
            };
            assert_eq!(ask(&containerd.outside, node, 8080, "/"), "pod");
            assert_eq!(seen(&containerd.outside, node, 8080), client);
            assert_eq!(ask(&containerd.outside, node, KEEPERS_PORT, "/"), "keeper");
            assert_eq!(ask(&keeper, node, 8080, "/"), "pod");
            assert_eq!(ask(&containerd.node, node, 8080, "/"), "pod");
        }
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(ask(&containerd.node, loopback, 8080, "/"), "pod");
        drop((own, keeper));
        containerd.remove(&sandbox);
        self.assert_clean();
    }

    /// Removes the pod that stays as well.
    pub(crate) fn end(self) {
        self.containerd.remove(&self.keeper);
        assert!(self.containerd.node.list("/run/netns").is_empty());
    }
}

/// What the server of a pod says to a client.
pub(crate) fn ask(from: &Place, address: IpAddr, port: u16, path: &str) -> String {
    let server = SocketAddr::new(address, port);
    let answer = http::until(from, server, path, PATIENCE, |answer| answer.status == 200);
    answer.body.trim().to_owned()
}

/// As [`ask`]: whose address the server sees. It serves IPv4 by a socket of IPv6.
pub(crate) fn seen(from: &Place, address: IpAddr, port: u16) -> IpAddr {
    let text = ask(from, address, port, "/cgi-bin/client");
    let text = text.trim_matches(['[', ']']);
    let text = text.strip_prefix("::ffff:").unwrap_or(text);
    text.parse()
        .unwrap_or_else(|_| panic!("no address: {text:?}"))
}
