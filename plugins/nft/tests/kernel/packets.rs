// SPDX-License-Identifier: Apache-2.0
//! What masquerade does to packets: the source address that a server sees.

use std::net::{IpAddr, SocketAddr};

use nft::masquerade::{self, Masquerade};

use crate::lab::{Ns, networks};

/// A pod behind a node, and the world outside, which has routes back to the pods.
pub(crate) struct Site {
    pub(crate) pod: Ns,
    pub(crate) node: Ns,
    pub(crate) outside: Ns,
}

const POD: &str = "10.1.0.5";
const POD6: &str = "fd00:1::5";
const NODE: &str = "192.0.2.1";
const NODE6: &str = "2001:db8::1";
const WORLD: &str = "192.0.2.2";
const WORLD6: &str = "2001:db8::2";
/// More addresses of the world: in an exempt network, and in another one of ours.
const EXEMPT: &str = "198.51.100.2";
const CLUSTER: &str = "10.1.200.2";

impl Site {
    pub(crate) fn new() -> Site {
        let (pod, node, outside) = (Ns::new(), Ns::new(), Ns::new());
        node.connect("vethpod", &pod, "eth0");
        node.connect("uplink", &outside, "eth0");
        for (ns, link, addresses) in [
            (&pod, "eth0", ["10.1.0.5/24", "fd00:1::5/64"]),
            (&node, "vethpod", ["10.1.0.1/24", "fd00:1::1/64"]),
            (&node, "uplink", ["192.0.2.1/24", "2001:db8::1/64"]),
            (&outside, "eth0", ["192.0.2.2/24", "2001:db8::2/64"]),
            (&outside, "lo", ["198.51.100.2/32", "10.1.200.2/32"]),
        ] {
            addresses
                .iter()
                .for_each(|address| ns.address(link, address));
        }
        node.forward();
        pod.route("0.0.0.0/0", "10.1.0.1");
        pod.route("::/0", "fd00:1::1");
        outside.route("10.1.0.0/24", NODE);
        outside.route("fd00:1::/64", NODE6);
        node.route("198.51.100.0/24", WORLD);
        node.route("10.1.200.0/24", WORLD);
        Site { pod, node, outside }
    }

    /// The address that a server outside sees when the pod sends to it.
    fn source(&self, from: &str, to: &str) -> String {
        let server = self.outside.socket(to);
        let seen = self.pod.seen_by(from, &server);
        seen.map_or_else(|| "nobody".to_owned(), |source| source.ip().to_string())
    }
}

fn ensure(site: &Site, network: &str, owner: &str, addresses: &[&str], exempt: &[&str]) {
    let parse = |texts: &[&str]| -> Vec<_> {
        texts
            .iter()
            .map(|text| text.parse().expect("a network"))
            .collect()
    };
    let (addresses, exempt) = (parse(addresses), parse(exempt));
    let wish = Masquerade {
        network,
        owner,
        addresses: &addresses,
        exempt: &exempt,
    };
    masquerade::ensure(&mut site.node.nft(), &wish).expect("to masquerade");
}

#[test]
fn a_pod_reaches_the_world_by_the_nodes_address() {
    let site = Site::new();
    assert_eq!(site.source(POD, WORLD), POD);
    assert_eq!(site.source(POD6, WORLD6), POD6);
    ensure(
        &site,
        "podnet",
        "vethpod",
        &["10.1.0.5/24", "fd00:1::5/64"],
        &["198.51.100.0/24"],
    );
    assert_eq!(site.source(POD, WORLD), NODE);
    assert_eq!(site.source(POD6, WORLD6), NODE6);
    assert_eq!(site.source(POD, EXEMPT), POD);
}

#[test]
fn a_source_port_is_not_kept() {
    let site = Site::new();
    ensure(&site, "podnet", "vethpod", &["10.1.0.5/24"], &[]);
    let server = site.outside.socket(WORLD);
    let kept = (0..8).filter(|_| {
        let client = site.pod.socket(POD);
        client
            .send_to(b"x", server.local_addr().expect("an address"))
            .expect("to send");
        let (_, seen) = server.recv_from(&mut [0; 8]).expect("a datagram");
        seen.port() == client.local_addr().expect("an address").port()
    });
    assert!(kept.count() < 4);
}

#[test]
fn an_answer_finds_the_pod() {
    let site = Site::new();
    ensure(&site, "podnet", "vethpod", &["10.1.0.5/24"], &[]);
    let server = site.outside.socket(WORLD);
    let client = site.pod.socket(POD);
    client
        .send_to(b"question", server.local_addr().expect("an address"))
        .expect("to send");
    let (_, seen): (_, SocketAddr) = server.recv_from(&mut [0; 8]).expect("a question");
    server.send_to(b"answer", seen).expect("to answer");
    let (_, from) = client.recv_from(&mut [0; 8]).expect("an answer");
    assert_eq!(from.ip(), WORLD.parse::<IpAddr>().expect("an address"));
}

#[test]
fn the_networks_of_the_node_and_the_cluster_are_reached_untranslated() {
    let site = Site::new();
    ensure(&site, "podnet", "vethpod", &["10.1.0.5/24"], &[]);
    assert_eq!(site.source(POD, CLUSTER), NODE);
    // Another network of this node.
    ensure(&site, "other", "vetho", &["10.1.200.9/24"], &[]);
    assert_eq!(site.source(POD, CLUSTER), POD);
    let mut nft = site.node.nft();
    masquerade::collect(&mut nft, "other", &[]).expect("to collect");
    assert_eq!(site.source(POD, CLUSTER), NODE);
    // What the overlay shares.
    masquerade::share(&mut nft, "overlay", &networks(["10.1.128.0/17"])).expect("to share");
    assert_eq!(site.source(POD, CLUSTER), POD);
    assert_eq!(site.source(POD, WORLD), NODE);
    masquerade::unshare(&mut nft, "overlay").expect("to take back");
    assert_eq!(site.source(POD, CLUSTER), NODE);
}

#[test]
fn a_changed_configuration_acts() {
    let site = Site::new();
    ensure(&site, "podnet", "vethpod", &["10.1.0.5/24"], &[]);
    assert_eq!(site.source(POD, EXEMPT), NODE);
    ensure(
        &site,
        "podnet",
        "vethpod",
        &["10.1.0.5/24"],
        &["198.51.100.0/23"],
    );
    assert_eq!(site.source(POD, EXEMPT), POD);
    ensure(&site, "podnet", "vethpod", &["10.1.0.5/24"], &["0.0.0.0/0"]);
    assert_eq!(site.source(POD, WORLD), POD);
    ensure(&site, "podnet", "vethpod", &["10.1.0.5/24"], &[]);
    assert_eq!(site.source(POD, EXEMPT), NODE);
}

#[test]
fn a_pod_without_a_subnet_is_served_singly() {
    let site = Site::new();
    ensure(
        &site,
        "podnet",
        "vethpod",
        &["10.1.0.5/32", "fd00:1::5/128"],
        &[],
    );
    assert_eq!(site.source(POD, WORLD), NODE);
    assert_eq!(site.source(POD6, WORLD6), NODE6);
    // A second single pod, here played by the world, is reached untranslated.
    assert_eq!(site.source(POD, CLUSTER), NODE);
    ensure(&site, "podnet", "vetho", &["10.1.200.2/32"], &[]);
    assert_eq!(site.source(POD, CLUSTER), POD);
    masquerade::release(&mut site.node.nft(), "podnet", "vethpod").expect("to release");
    assert_eq!(site.source(POD, WORLD), POD);
}

#[test]
fn a_pod_of_an_unmasqueraded_network_keeps_its_address() {
    let site = Site::new();
    ensure(&site, "podnet", "vetho", &["10.1.0.9/24"], &[]);
    assert_eq!(site.source(POD, WORLD), NODE);
    let mut nft = site.node.nft();
    masquerade::exclude(
        &mut nft,
        "plain",
        "vethpod",
        &networks(["10.1.0.5/24"]),
        false,
    )
    .expect("to exclude");
    assert_eq!(site.source(POD, WORLD), POD);
    masquerade::release(&mut nft, "plain", "vethpod").expect("to release");
    assert_eq!(site.source(POD, WORLD), NODE);
}

#[test]
fn a_shared_subnet_serves_each_network_by_its_own_exemptions() {
    let site = Site::new();
    ensure(&site, "first", "vetho", &["10.1.0.9/24"], &[]);
    ensure(
        &site,
        "second",
        "vethpod",
        &["10.1.0.5/24"],
        &["198.51.100.0/24"],
    );
    assert_eq!(site.source(POD, WORLD), NODE);
    assert_eq!(site.source(POD, EXEMPT), POD);
}

#[test]
fn nothing_is_translated_once_all_is_taken_back() {
    let site = Site::new();
    ensure(
        &site,
        "podnet",
        "vethpod",
        &["10.1.0.5/24", "fd00:1::5/64"],
        &[],
    );
    masquerade::collect(&mut site.node.nft(), "podnet", &[]).expect("to collect");
    assert_eq!(site.source(POD, WORLD), POD);
    assert_eq!(site.source(POD6, WORLD6), POD6);
}
