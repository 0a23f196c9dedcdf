// SPDX-License-Identifier: Apache-2.0
//! One node of an overlay whose peers are nothing but entries of its list: for what the plugin
//! `vxlan` makes, says and refuses on a node, and what that costs with many peers.

use serde_json::{Value, json};

use crate::execution::Execution;
use crate::network::Network;
use crate::node::Node;
use crate::outside::Outside;
use crate::place::Place;
use crate::pod::Pod;
use crate::runner::Runner;

/// A node with an underlay, and its runtime.
#[derive(Debug)]
pub struct LoneNode {
    /// The node: 192.0.2.2 and 2001:db8::2 on `eth0`, with an MTU of 1500 bytes.
    pub node: Node,
    /// Its runtime.
    pub runner: Runner,
    _outside: Outside,
}

impl LoneNode {
    /// A node that no pod is attached to.
    pub fn new() -> Self {
        let node = Node::new();
        Self {
            runner: Runner::new(&node),
            _outside: Outside::new(&node, 1500),
            node,
        }
    }

    /// Attaches `eth0` of a pod, and returns the result.
    ///
    /// # Panics
    /// When that fails.
    pub fn add(&self, network: &Network, pod: &Pod) -> Value {
        let added = self.runner.add(network, pod, "eth0");
        added.unwrap_or_else(|failure| panic!("{failure}"))
    }

    /// Code and text of the error by which `vxlan` refuses an ADD.
    ///
    /// # Panics
    /// When it does not.
    pub fn refused(&self, network: &Network, pod: &Pod) -> (u64, String) {
        let refused = self.runner.add(network, pod, "eth0").err();
        let failure = refused.unwrap_or_else(|| panic!("ADD of {} succeeded", network.text()));
        assert_eq!(failure.call, "vxlan ADD", "{failure}");
        failure.error()
    }

    /// Code and text of the error of STATUS, if there is one.
    ///
    /// # Panics
    /// When another plugin is the one that fails.
    pub fn status(&self, network: &Network) -> Option<(u64, String)> {
        let failure = self.runner.status(network).err()?;
        assert_eq!(failure.call, "vxlan STATUS", "{failure}");
        Some(failure.error())
    }

    /// As [`LoneNode::status`], of CHECK.
    ///
    /// # Panics
    /// When another plugin is the one that fails.
    pub fn check(&self, network: &Network, pod: &Pod) -> Option<(u64, String)> {
        let failure = self.runner.check(network, pod, "eth0").err()?;
        assert_eq!(failure.call, "vxlan CHECK", "{failure}");
        Some(failure.error())
    }

    /// One call of `vxlan` for `eth0` of a pod that has been attached to the network, or just by
    /// its `bridge`: an ADD that finds all of that pod's as it should be.
    ///
    /// # Panics
    /// When the pod has not been attached.
    pub fn vxlan(&self, runner: &Runner, network: &Network, pod: &Pod) -> Execution {
        let result = self.runner.result(network, pod.name(), "eth0");
        let result = result.expect("the pod was attached by this runtime");
        let call = runner.call("ADD", network, &network.plugins()[1], Some(&result));
        call.env("CNI_CONTAINERID", pod.name())
            .env("CNI_NETNS", pod.netns().display().to_string())
            .env("CNI_IFNAME", "eth0")
    }

    /// How many routes of the overlay there are, of one family (`-4`, `-6`).
    pub fn routes(&self, family: &str) -> usize {
        let routes = self.node.ip(&format!("{family} route show proto 118"));
        routes.lines().count()
    }

    /// An entry for this node, and `peers` others: `peer1` with the pods 10.200.1.0/24, and so on.
    pub fn nodes(peers: u32) -> Value {
        let own = json!({"name": "own", "underlay": "192.0.2.2", "podCIDRs": ["10.200.0.0/24"]});
        std::iter::once(own).chain((1..=peers).map(peer)).collect()
    }
}

impl Default for LoneNode {
    fn default() -> Self {
        Self::new()
    }
}

/// 65,000 of them have room.
fn peer(index: u32) -> Value {
    let [_, _, high, low] = index.to_be_bytes();
    let pods = match high {
        0 => format!("10.200.{low}.0/24"),
        _ => format!("11.{high}.{low}.0/24"),
    };
    json!({"name": format!("peer{index}"), "underlay": format!("198.18.{high}.{low}"),
        "podCIDRs": [pods]})
}

impl Network {
    /// The network `pods` of `bridge`, with gateway and masquerade, and of `vxlan` with these keys
    /// beside `network`.
    ///
    /// # Panics
    /// When `keys` is not an object.
    pub fn of_lone_node(keys: &Value) -> Self {
        let bridge = json!({
            "cniVersion": "1.1.0",
            "name": "pods",
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": true,
            "ipMasq": true,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": "10.200.0.0/24"}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        });
        let vxlan = json!({"type": "vxlan", "network": ["10.200.0.0/16", "11.0.0.0/8"]});
        Self::new(bridge).followed_by(vxlan).with_at(1, keys)
    }

    /// Its first plugin alone.
    #[must_use]
    pub fn first_plugin(&self) -> Self {
        let mut list: Value = serde_json::from_str(&self.text()).expect("a conflist is JSON");
        list["plugins"] = json!([list["plugins"][0]]);
        Self::new(list)
    }
}

impl Place {
    /// The MTU of one of this place's links, in bytes.
    ///
    /// # Panics
    /// When there is no such link.
    pub fn mtu(&self, link: &str) -> u64 {
        let links = self.ip(&format!("-json link show {link}"));
        let links: Value = serde_json::from_str(&links).expect("ip prints JSON");
        links[0]["mtu"].as_u64().expect("a link has an MTU")
    }
}
