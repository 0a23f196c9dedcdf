// SPDX-License-Identifier: Apache-2.0
//! Who is hidden behind the node's address, and what others decide before.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use integration_tests::{BRIEFLY, Outside, PATIENCE, Pod};
use serde_json::json;

use crate::site::{
    LOCALHOST, NODE, SERVED, Site, both, network, of_bridge, seen_at, set_route_localnet, unserved,
};

#[test]
fn without_snat_nobody_is_hidden() {
    let site = Site::new();
    let network = network(both(8080)).with_at(1, &json!({"snat": false, "masqAll": true}));
    let (_pod, _servers) = site.server(&network);
    assert_eq!(seen_at(&site.outside, NODE[0], 8080), Outside::V4);
    assert_eq!(seen_at(&site.node, NODE[0], 8080), NODE[0]);
    unserved(&site.node, LOCALHOST[0], 8080);
}

#[test]
fn with_masq_all_everybody_is_hidden() {
    let site = Site::new();
    let network = network(both(8080)).with_at(1, &json!({"masqAll": true, "markMasqBit": 5}));
    let (_pod, _servers) = site.server(&network);
    let gateway = [site.node.ipv4("cni0"), site.node.ipv6("cni0")];
    for (address, hidden) in NODE.into_iter().zip(gateway) {
        assert_eq!(seen_at(&site.outside, address, 8080), hidden);
    }
    assert_eq!(seen_at(&site.node, LOCALHOST[0], 8080), gateway[0]);
}

#[test]
fn with_kube_proxys_mark_its_rules_hide_the_clients() {
    let site = Site::new();
    let network =
        network(both(8080)).with_at(1, &json!({"externalSetMarkChain": "KUBE-MARK-MASQ"}));
    let (pod, _servers) = site.server(&network);
    unserved(&site.node, LOCALHOST[0], 8080);
    // As KUBE-POSTROUTING does it.
    site.node.tool("nft", "add table ip kube");
    site.node.tool(
        "nft",
        "add chain ip kube post { type nat hook postrouting priority 100 ; }",
    );
    site.node.tool(
        "nft",
        "add rule ip kube post meta mark & 0x4000 == 0x4000 masquerade",
    );
    let gateway = site.node.ipv4("cni0");
    for (client, address) in [(&*site.node, LOCALHOST[0]), (&*pod, NODE[0])] {
        assert_eq!(seen_at(client, address, 8080), gateway);
    }
    assert_eq!(seen_at(&site.outside, NODE[0], 8080), Outside::V4);
}

/// kube-proxy and Docker decide at the usual priority.
#[test]
fn what_others_translate_first_goes_their_way() {
    let site = Site::new();
    let pod = site.runner.attach(&network(both(8080)), &site.node);
    let (other, _servers) = site.server(&network(json!([])));
    drop(pod);
    site.node.tool("nft", "add table ip kube");
    site.node.tool(
        "nft",
        "add chain ip kube pre { type nat hook prerouting priority -100 ; }",
    );
    let target = other.ipv4("eth0");
    let rule = format!("add rule ip kube pre th dport 8080 dnat to {target}:{SERVED}");
    site.node.tool(
        "nft",
        &rule.replace("th dport", "meta l4proto { tcp, udp } th dport"),
    );
    assert_eq!(seen_at(&site.outside, NODE[0], 8080), Outside::V4);
}

/// `route_localnet` alone would open what listens on 127.0.0.1 to whoever is on the bridge.
#[test]
fn pods_do_not_reach_the_nodes_own_localhost() {
    let site = Site::new();
    let (_pod, _servers) = site.server(&network(both(8080)));
    let attacker = Attacker::new(&site);
    assert!(!attacker.reaches_localhost(BRIEFLY));
    // It is the rule that keeps them off.
    site.node
        .tool("nft", "flush chain inet podwire hostport-localnet");
    assert!(attacker.reaches_localhost(PATIENCE));
}

/// The bridge stays when the rule goes with the last mapping.
#[test]
fn nor_do_they_when_the_last_port_is_gone() {
    let site = Site::new();
    let (network, other) = (
        network(both(8080)),
        of_bridge("other", "cni1", 89, both(8081)),
    );
    let attacker = Attacker::new(&site);
    let pods = [&network, &other].map(|of| (of, site.server(of)));
    for (of, (pod, _)) in &pods {
        site.runner.del(of, pod, "eth0").unwrap();
        assert!(!attacker.reaches_localhost(BRIEFLY));
    }
    assert_eq!(site.ports(), [""; 0]);
    // The next mapping serves localhost again.
    let (_pod, _servers) = site.server(&network);
    let gateway = site.node.ipv4("cni0");
    assert_eq!(seen_at(&site.node, LOCALHOST[0], 8080), gateway);
}

/// Nor does the node take a pod's datagram for one of its own localhost.
#[test]
fn pods_do_not_pass_for_the_nodes_localhost() {
    let site = Site::new();
    let (_pod, _servers) = site.server(&network(both(8080)));
    let attacker = Attacker::new(&site).pod;
    let server = SocketAddr::new(site.node.ipv4("cni0"), 9001);
    let server = site.node.run(|| UdpSocket::bind(server)).unwrap();
    set_route_localnet(&attacker, "eth0", true);
    attacker.ip("address add 127.0.0.2/32 dev eth0");
    let arrives = |limit| {
        let own = attacker.run(|| UdpSocket::bind("127.0.0.2:0")).unwrap();
        own.send_to(b"x", server.local_addr().unwrap()).unwrap();
        server.set_read_timeout(Some(limit)).unwrap();
        server.recv_from(&mut [0; 8]).is_ok()
    };
    assert!(!arrives(BRIEFLY));
    site.node
        .tool("nft", "flush chain inet podwire hostport-localnet");
    assert!(arrives(PATIENCE));
}

#[test]
fn an_interface_that_somebody_else_has_opened_stays_open() {
    let site = Site::new();
    let network = network(both(8080));
    let attacker = Attacker::new(&site);
    set_route_localnet(&site.node, "cni0", true);
    let (pod, _servers) = site.server(&network);
    assert!(!attacker.reaches_localhost(BRIEFLY));
    site.runner.del(&network, &pod, "eth0").unwrap();
    assert!(attacker.reaches_localhost(PATIENCE));
}

/// A pod that takes 127.0.0.1 for an address of its gateway.
struct Attacker {
    pod: Pod,
    /// What the node has on its localhost.
    secret: UdpSocket,
}

impl Attacker {
    fn new(site: &Site) -> Self {
        let pod = site.runner.attach(&network(json!([])), &site.node);
        pod.ip("link set lo up");
        pod.ip("route flush table local 127.0.0.0/8");
        pod.ip("route del local 127.0.0.1 table local");
        pod.ip("route add 127.0.0.1 via 10.88.0.1 dev eth0");
        let secret = site.node.run(|| UdpSocket::bind((LOCALHOST[0], 9000)));
        Self {
            pod,
            secret: secret.expect("the port is free"),
        }
    }

    /// Whether a datagram of the pod arrives in time.
    fn reaches_localhost(&self, limit: Duration) -> bool {
        let own = self.pod.ipv4("eth0");
        let secret = self.secret.local_addr().expect("it is bound");
        let sent = self
            .pod
            .run(|| UdpSocket::bind((own, 0))?.send_to(b"x", secret));
        sent.expect("the pod has a route");
        self.secret
            .set_read_timeout(Some(limit))
            .expect("it is not zero");
        self.secret.recv_from(&mut [0; 8]).is_ok()
    }
}
