// SPDX-License-Identifier: Apache-2.0
//! A node of a cluster, and the plan by which the cluster's addresses are given.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;
use serde_json::{Value, json};

use crate::fleet::Stack;
use crate::network::Network;
use crate::node::Node;
use crate::pod::Pod;
use crate::runner::Runner;

/// A node's number on the underlay is its number in the cluster and this.
const FIRST: u8 = 10;

/// A node of a cluster. It is a [`Node`] with a runtime and a place in the list of nodes.
#[derive(Debug)]
pub struct Member {
    /// The machine.
    pub node: Node,
    /// Its runtime, with Podwire's plugins.
    pub runner: Runner,
    /// Its name in the list of nodes.
    pub name: String,
    number: u8,
    stack: Stack,
}

impl Member {
    pub(crate) fn new(node: Node, number: u8, stack: Stack) -> Self {
        Self {
            runner: Runner::new(&node),
            node,
            name: format!("n{number}"),
            number,
            stack,
        }
    }

    /// Its number on the underlay.
    pub(crate) fn host(&self) -> u8 {
        host(self.number)
    }

    /// Its underlay addresses, one for each family of the cluster, IPv4 first.
    pub fn underlay(&self) -> Vec<IpAddr> {
        underlay(self.stack, self.host())
    }

    /// The networks of its pods, one for each family of the cluster, IPv4 first.
    pub fn pod_cidrs(&self) -> Vec<IpNetwork> {
        let number = self.number;
        let cidrs = [
            format!("10.200.{number}.0/24"),
            format!("fd00:200:0:{number}::/64"),
        ];
        networks(self.stack, cidrs)
    }

    /// Its entry in a list of nodes.
    pub fn entry(&self) -> Value {
        let underlay: Vec<_> = self.underlay().iter().map(IpAddr::to_string).collect();
        json!({"name": self.name, "underlay": underlay, "podCIDRs": texts(&self.pod_cidrs())})
    }

    /// The network of `bridge` alone, with gateway and masquerade.
    pub fn bridge(&self) -> Network {
        let cidrs = texts(&self.pod_cidrs());
        let cidrs: Vec<_> = cidrs.iter().map(String::as_str).collect();
        Network::of_bridge("pods", &cidrs, json!({"ipMasq": true}))
    }

    /// A new pod, attached to a network by `eth0`.
    ///
    /// # Panics
    /// When it can't be attached.
    pub fn attach(&self, network: &Network) -> Pod {
        self.runner.attach(network, &self.node)
    }
}

/// The number on the underlay of the member with this number.
pub(crate) fn host(number: u8) -> u8 {
    FIRST + number
}

/// In both families the number is what one reads at the end.
pub(crate) fn underlay(stack: Stack, number: u8) -> Vec<IpAddr> {
    let last = u16::from(number / 10 % 10 * 16 + number % 10) + u16::from(number / 100) * 256;
    let addresses = [
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, number)),
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, last)),
    ];
    let mut addresses = Vec::from(addresses);
    addresses.retain(|address| stack.has(*address));
    addresses
}

pub(crate) fn networks(stack: Stack, texts: [String; 2]) -> Vec<IpNetwork> {
    let networks = texts.map(|text| text.parse::<IpNetwork>().expect("a CIDR"));
    let mut networks = Vec::from(networks);
    networks.retain(|network| stack.has(network.ip()));
    networks
}

pub(crate) fn texts(networks: &[IpNetwork]) -> Vec<String> {
    networks.iter().map(IpNetwork::to_string).collect()
}
