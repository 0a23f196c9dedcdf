// SPDX-License-Identifier: Apache-2.0
//! What flannel makes on a node for its VXLAN backend, made by hand with `ip` and `bridge`, so that
//! it owes nothing to Podwire's code: one device for each family, named `flannel.<VNI>` and
//! `flannel-v6.<VNI>`, and for each peer a neighbour, an entry of the forwarding database and a
//! route, in this order. Its rules are made by the real `iptables`, as flannel 0.28 makes them.

use std::net::IpAddr;
use std::process::Command;

use ipnetwork::IpNetwork;
use net::Mac;

use crate::execution::finish;
use crate::place::Place;

/// One family of a node as its peers have to know it.
#[derive(Clone, Copy, Debug)]
pub struct Vtep {
    /// Where encapsulated packets are taken.
    pub underlay: IpAddr,
    /// The device's MAC address.
    pub mac: Mac,
    /// The network of the node's pods.
    pub pods: IpNetwork,
}

impl Vtep {
    /// The device's name.
    pub fn device(&self, vni: u32) -> String {
        match self.underlay {
            IpAddr::V4(_) => format!("flannel.{vni}"),
            IpAddr::V6(_) => format!("flannel-v6.{vni}"),
        }
    }

    /// The length in bits of the prefix of a single address of the family.
    fn single(&self) -> u8 {
        if self.underlay.is_ipv4() { 32 } else { 128 }
    }
}

/// Makes the device of one family on a node whose underlay link `eth0` has an MTU of 1500, and
/// lets the node forward. flannel reckons with 50 octets of headers over IPv6, too; the kernel, which
/// knows of 70, corrects the MTU without a word.
pub fn device(node: &Place, own: &Vtep, vni: u32) {
    let (name, local) = (own.device(vni), own.underlay);
    node.ip(&format!(
        "link add {name} address {} mtu 1450 type vxlan id {vni} dev eth0 local {local} \
         dstport 8472 nolearning",
        own.mac
    ));
    write(node, &format!("ipv6/conf/{name}/accept_ra"), "0");
    let address = format!("{}/{}", own.pods.network(), own.single());
    node.ip(&format!("address add {address} dev {name}"));
    node.ip(&format!("link set {name} up"));
    write(node, "ipv4/ip_forward", "1");
    write(node, "ipv6/conf/all/forwarding", "1");
}

/// Makes a peer known to a node whose [`device`] is there.
pub fn peer(node: &Place, peer: &Vtep, vni: u32) {
    let (device, mac) = (peer.device(vni), peer.mac);
    let (gateway, pods) = (peer.pods.network(), peer.pods);
    node.ip(&format!(
        "neighbour replace {gateway} lladdr {mac} dev {device} nud permanent"
    ));
    node.tool(
        "bridge",
        &format!(
            "fdb replace {mac} dev {device} dst {} self permanent",
            peer.underlay
        ),
    );
    node.ip(&format!(
        "route replace {pods} via {gateway} dev {device} onlink"
    ));
}

/// Makes the rules of a node whose pods are in `pods`, of a cluster whose pods are in `network`: what
/// `--ip-masq` makes, and what lets pods' packets through the host's firewall.
pub fn rules(node: &Place, network: IpNetwork, pods: IpNetwork) {
    let multicast = if network.is_ipv4() {
        "224.0.0.0/4"
    } else {
        "ff00::/8"
    };
    let (all, own) = (network.to_string(), pods.to_string());
    let (all, own) = (all.as_str(), own.as_str());
    let masquerade = ["-j", "MASQUERADE", "--random-fully"];
    let outside = ["-s", all, "!", "-d", multicast];
    let into = ["!", "-s", all, "-d", all];
    let nat: [&[&str]; 6] = [
        &["-m", "mark", "--mark", "0x4000/0x4000", "-j", "RETURN"],
        &["-s", own, "-d", all, "-j", "RETURN"],
        &["-s", all, "-d", own, "-j", "RETURN"],
        &["!", "-s", all, "-d", own, "-j", "RETURN"],
        &[outside.as_slice(), &masquerade].concat(),
        &[into.as_slice(), &masquerade].concat(),
    ];
    let filter: [&[&str]; 2] = [&["-s", all, "-j", "ACCEPT"], &["-d", all, "-j", "ACCEPT"]];
    // As flanneld does it: all of a table at once, so that nobody comes in between.
    let own = |table, base, chain, comment, rules: &[&[&str]]| {
        let comment = format!("-m comment --comment \"{comment}\"");
        let mut text = format!("*{table}\n:{chain} - [0:0]\n");
        for rule in rules {
            text += &format!("-A {chain} {comment} {}\n", rule.join(" "));
        }
        text += &format!("-A {base} {comment} -j {chain}\nCOMMIT\n");
        let program = format!("{}-restore", program(network));
        let mut command = Command::new(program);
        command.args(["-w", "--noflush"]);
        let outcome = node.run(|| finish(&mut command, text.as_bytes()));
        assert!(outcome.success(), "{command:?}: {outcome}\n{text}");
    };
    own(
        "nat",
        "POSTROUTING",
        "FLANNEL-POSTRTG",
        "flanneld masq",
        &nat,
    );
    own(
        "filter",
        "FORWARD",
        "FLANNEL-FWD",
        "flanneld forward",
        &filter,
    );
}

/// Runs `iptables`, or `ip6tables` by the family of a network, for a table.
///
/// # Panics
/// When it fails.
pub fn iptables(node: &Place, family: IpNetwork, table: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program(family));
    command.args(["-w", "-t", table]).args(arguments);
    let outcome = node.output(&mut command);
    assert!(outcome.success(), "{command:?}: {outcome}");
    outcome.stdout
}

fn program(family: IpNetwork) -> &'static str {
    if family.is_ipv4() {
        "iptables"
    } else {
        "ip6tables"
    }
}

fn write(node: &Place, sysctl: &str, value: &str) {
    let path = format!("/proc/sys/net/{sysctl}");
    let written = node.run(|| std::fs::write(&path, value));
    written.unwrap_or_else(|error| panic!("{path}: {error}"));
}
