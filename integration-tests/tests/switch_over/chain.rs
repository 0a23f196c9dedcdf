// SPDX-License-Identifier: Apache-2.0
//! Whole chains of the reference plugins, as a kubelet and podman have them: what those have
//! attached ends by Podwire's, and nothing of it is left.

use std::net::SocketAddr;
use std::path::PathBuf;

use integration_tests::{
    Echo, Network, Node, Outside, PATIENCE, Pod, Runner, State, ask_tcp, binaries, ping,
};
use serde_json::json;

use crate::{PLUGINS, copies, install};

/// What of Podwire's takes the place of what.
const NAMES: [&str; 7] = [
    "bandwidth",
    "bridge",
    "firewall",
    "host-local",
    "portmap",
    "ptp",
    "tuning",
];
/// The node's ports that lead to the pod that stays, and to the one that comes and goes.
const PORTS: [u16; 2] = [8001, 8002];
/// Of the addresses' directory what is a network's: Podwire's index, and the last address.
const KEPT: [&str; 2] = ["/.podwire", "last_reserved"];
/// What a network of Podwire's keeps of its masquerade.
const MASQUERADE: [&str; 6] = [
    "nft table inet podwire",
    " inet podwire masq-",
    " inet podwire exempt",
    " inet podwire postrouting",
    " inet podwire pods",
    " inet podwire peers",
];

/// What DEL of a pod has besides its name.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Left {
    All,
    NoResult,
    NoSandbox,
}

/// A node whose iptables drop what it forwards.
struct Site {
    node: Node,
    _outside: Outside,
    network: Network,
    /// The same runtime: it sends a port of its own for each of two pods.
    runners: [Runner; 2],
    theirs: PathBuf,
    ours: PathBuf,
}

/// The chain behind a plugin, with these values for all keys that say by which program rules are
/// made.
fn network(first: &str, backend: &str) -> Network {
    Network::new(json!({
        "cniVersion": "1.1.0",
        "name": "pods",
        "plugins": [
            {
                "type": first,
                "isGateway": true,
                "ipMasq": true,
                "ipMasqBackend": backend,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": "10.1.5.0/24"}], [{"subnet": "fd00:1:5::/64"}]],
                    "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
                },
            },
            {"type": "portmap", "backend": backend, "capabilities": {"portMappings": true}},
            {"type": "firewall"},
            {"type": "tuning", "mac": "02:00:00:00:00:05", "mtu": 1400,
                "sysctl": {"net.core.somaxconn": "500"}},
            {"type": "bandwidth", "ingressRate": 80_000_000, "ingressBurst": 8_000_000,
                "egressRate": 80_000_000, "egressBurst": 8_000_000},
        ],
    }))
}

impl Site {
    fn new(first: &str, backend: &str) -> Self {
        let node = Node::new();
        let outside = Outside::new(&node, 1500);
        // The reference plugins do not wait until an address is no duplicate.
        node.write("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
        for iptables in ["iptables", "ip6tables"] {
            node.tool(iptables, "--policy FORWARD DROP");
        }
        let runners = PORTS.map(|port| {
            let mapping = json!([{"hostPort": port, "containerPort": 80, "protocol": "tcp"}]);
            Runner::with_plugins(&node, PLUGINS).with_capability("portMappings", mapping)
        });
        Self {
            theirs: copies(&node, "theirs", &binaries::go_plugins(), &NAMES),
            ours: copies(&node, "ours", binaries::plugins(), &NAMES),
            _outside: outside,
            network: network(first, backend),
            runners,
            node,
        }
    }

    fn attach(&self, runner: &Runner, name: &str) -> Pod {
        let pod = self.node.pod(name);
        let added = runner.add(&self.network, &pod, "eth0");
        added.unwrap_or_else(|failure| panic!("{name}: {failure}"));
        pod
    }

    /// A port of the node leads to a pod, which reaches the world and has what the chain gives.
    fn assert_served(&self, pod: &Pod, port: u16) {
        let server = Echo::start(pod, pod.ipv4("eth0"), 80);
        let asked = ask_tcp(&self.node, SocketAddr::new(Outside::NODE_V4, port));
        asked.unwrap_or_else(|error| panic!("{} by port {port}: {error}", pod.name()));
        drop(server);
        for address in [Outside::V4, Outside::V6] {
            assert!(ping(pod, address, PATIENCE), "{} {address}", pod.name());
        }
        let link = pod.ip("link show eth0");
        assert!(
            link.contains("02:00:00:00:00:05") && link.contains("mtu 1400"),
            "{link}"
        );
    }

    /// Ends the pod that comes and goes, twice.
    fn detach(&self, pod: Pod, left: Left) {
        let runner = &self.runners[1];
        if left == Left::NoResult {
            runner.forget(&self.network, "guest", "eth0");
        }
        let netns = pod.netns().display().to_string();
        if left == Left::NoSandbox {
            pod.vanish();
        }
        for _ in 0..2 {
            let done = runner.del_with(&self.network, "guest", &netns, "eth0");
            done.unwrap_or_else(|failure| panic!("{left:?}: {failure}"));
        }
    }
}

fn switched_over(first: &str, backend: &str) {
    let site = Site::new(first, backend);
    install(&site.node, &site.theirs);
    let keeper = site.attach(&site.runners[0], "keeper");
    site.assert_served(&keeper, PORTS[0]);
    for left in [Left::All, Left::NoResult, Left::NoSandbox] {
        install(&site.node, &site.theirs);
        let before = State::of(&site.node);
        let guest = site.attach(&site.runners[1], "guest");
        site.assert_served(&guest, PORTS[1]);
        assert!(before.differences(&State::of(&site.node)).len() > 8);
        install(&site.node, &site.ours);
        site.detach(guest, left);
        before.assert_nothing_left(&site.node, &KEPT);
        site.assert_served(&keeper, PORTS[0]);
    }
    // The port is free, and no way leads where it led.
    let port = SocketAddr::new(Outside::NODE_V4, PORTS[1]);
    assert!(ask_tcp(&site.node, port).is_err());
    let before = State::of(&site.node);
    let new = site.attach(&site.runners[1], "new");
    site.assert_served(&new, PORTS[1]);
    let ended = site.runners[1].del(&site.network, &new, "eth0");
    ended.expect("Podwire's plugins end their own pod");
    before.assert_nothing_left(&site.node, &[&KEPT[..], &MASQUERADE].concat());
    let ended = site.runners[0].del(&site.network, &keeper, "eth0");
    ended.expect("Podwire's plugins end the other ones' pod");
}

#[test]
fn chains_behind_bridge_are_taken_over_from_iptables() {
    switched_over("bridge", "iptables");
}

#[test]
fn chains_behind_bridge_are_taken_over_from_nftables() {
    switched_over("bridge", "nftables");
}

#[test]
fn chains_behind_ptp_are_taken_over_from_iptables() {
    switched_over("ptp", "iptables");
}

#[test]
fn chains_behind_ptp_are_taken_over_from_nftables() {
    switched_over("ptp", "nftables");
}

/// On the way back the reference plugins end what Podwire's have attached, but for what they can't
/// know of: the way of a port, and the pod's rules in `FORWARD`. GC of Podwire's takes those.
#[test]
fn the_reference_plugins_end_a_chain_but_for_ports_and_forwarding() {
    let site = Site::new("bridge", "iptables");
    install(&site.node, &site.ours);
    let keeper = site.attach(&site.runners[0], "keeper");
    site.assert_served(&keeper, PORTS[0]);
    let before = State::of(&site.node);
    let guest = site.attach(&site.runners[1], "guest");
    install(&site.node, &site.theirs);
    site.detach(guest, Left::All);
    // The tables are what the reference plugin makes when it looks for rules to remove.
    let tables = ["nft table ip nat", "nft table ip6 nat"];
    let mut left = before.differences(&State::of(&site.node));
    left.retain(|line| !KEPT.iter().chain(&tables).any(|word| line.contains(word)));
    let known = ["inet podwire hostport", "filter CNI-FORWARD"];
    for word in known {
        assert!(left.iter().any(|line| line.contains(word)), "{left:#?}");
    }
    left.retain(|line| !known.iter().any(|word| line.contains(word)));
    assert_eq!(left, [""; 0]);
    site.assert_served(&keeper, PORTS[0]);
    install(&site.node, &site.ours);
    let valid = [("keeper", "eth0")];
    site.runners[0].gc(&site.network, &valid).unwrap();
    before.assert_nothing_left(&site.node, &[&KEPT[..], &tables].concat());
    site.assert_served(&keeper, PORTS[0]);
}
