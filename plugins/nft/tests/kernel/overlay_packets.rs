// SPDX-License-Identifier: Apache-2.0
//! What the overlay's guard does to packets: whose reach the VXLAN port, and which ports others use.

use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use nft::masquerade::{self, Masquerade};
use nft::overlay::{self, Dropped, Overlay};

use crate::lab::{Ns, networks};
use crate::packets::Site;

const PORT: u16 = 8472;
const PEER: &str = "192.0.2.2";
const PEER6: &str = "2001:db8::2";
/// More addresses of the peer's host: no peer's, and a pod's on another node.
const STRANGER: &str = "198.51.100.2";
const FAR_POD: &str = "10.1.200.2";
const NODE: &str = "192.0.2.1";
const NODE6: &str = "2001:db8::1";
const POD: &str = "10.1.0.5";
const POD6: &str = "fd00:1::5";

/// Makes the site's node one of an overlay, whose other node is outside.
fn overlaid(site: &Site, port: u16, filter: bool) {
    let peers = [PEER, PEER6].map(|text| text.parse().unwrap());
    let pods = networks(["10.1.0.0/16", "fd00:1::/48"]);
    let wish = Overlay {
        port,
        peers: &peers,
        pods: &pods,
        bridges: &["vethpod"],
        devices: &[],
        filter,
    };
    overlay::ensure(&mut site.node.nft(), &wish).unwrap();
}

fn masqueraded(site: &Site) {
    let addresses = networks(["10.1.0.5/24", "fd00:1::5/64"]);
    let wish = Masquerade {
        network: "podnet",
        owner: "vethpod",
        addresses: &addresses,
        exempt: &[],
    };
    let mut nft = site.node.nft();
    masquerade::ensure(&mut nft, &wish).unwrap();
    masquerade::share(&mut nft, "overlay", &networks(["10.1.0.0/16"])).unwrap();
}

/// What takes the VXLAN packets of a host.
fn listen(ns: &Ns, address: &str) -> UdpSocket {
    let address: IpAddr = address.parse().unwrap();
    ns.run(|| UdpSocket::bind((address, PORT)).unwrap())
}

#[test]
fn only_known_peers_reach_the_port() {
    let site = Site::new();
    site.node.route("198.51.100.2/32", PEER);
    let [four, six] = [NODE, NODE6].map(|address| listen(&site.node, address));
    overlaid(&site, PORT, false);
    assert!(site.outside.seen_by(PEER6, &six).is_some());
    assert!(site.pod.seen_by(POD6, &six).is_some());
    for (from, server) in [(PEER, &four), (STRANGER, &four)] {
        assert!(site.outside.reaches(from, server), "{from}");
    }
    assert!(site.pod.reaches(POD, &four));

    overlaid(&site, PORT, true);
    assert!(site.outside.reaches(PEER, &four) && site.outside.reaches(PEER6, &six));
    assert!(!site.outside.reaches(STRANGER, &four));
    assert!(!site.pod.reaches(POD, &four) && !site.pod.reaches(POD6, &six));
    assert!(!site.node.reaches(NODE, &four));
    // Another port is nobody's business.
    assert!(site.pod.reaches(POD, &site.node.socket(NODE)));

    overlay::remove(&mut site.node.nft()).unwrap();
    assert!(site.pod.reaches(POD, &four) && site.outside.reaches(STRANGER, &four));
}

#[test]
fn what_is_dropped_is_counted_and_by_whom_it_came() {
    let site = Site::new();
    let server = listen(&site.node, NODE);
    let dropped = || overlay::dropped(&mut site.node.nft()).unwrap();
    assert_eq!(dropped(), Dropped::default());
    overlaid(&site, PORT, true);
    assert!(site.outside.seen_by(PEER, &server).is_some());
    assert_eq!(dropped(), Dropped::default());
    assert!(!site.outside.reaches(STRANGER, &server));
    let before = dropped();
    assert!(before.strangers > 0 && before.pods == 0, "{before:?}");
    // A look that finds all right starts no count anew.
    overlaid(&site, PORT, true);
    assert!(!site.pod.reaches(POD, &server));
    let after = dropped();
    assert!(after.strangers == before.strangers, "{after:?}");
    let to_a_peer = listen(&site.outside, PEER);
    assert!(after.pods > 0 && !site.pod.reaches(POD, &to_a_peer));
    assert!(dropped().pods > after.pods, "{after:?}");
}

#[test]
fn a_pod_does_not_get_to_the_port_of_another_node_by_its_own_nodes_address() {
    let site = Site::new();
    masqueraded(&site);
    let [peer, peer6, other] = [PEER, PEER6, STRANGER].map(|to| listen(&site.outside, to));
    assert_eq!(site.pod.seen_by(POD, &peer).unwrap().ip().to_string(), NODE);
    assert!(site.pod.seen_by(POD6, &peer6).is_some());
    overlaid(&site, PORT, true);
    for (from, server) in [(POD, &peer), (POD6, &peer6), (POD, &other)] {
        assert!(!site.pod.reaches(from, server), "{from}");
    }
    // Its own use of the port towards other pods goes on, as does the node's towards peers.
    let pod = listen(&site.outside, FAR_POD);
    assert_eq!(site.pod.seen_by(POD, &pod).unwrap().ip().to_string(), POD);
    assert!(site.node.reaches(NODE, &peer) && site.node.reaches(NODE6, &peer6));
}

#[test]
fn whoever_has_the_nodes_address_by_translation_only_does_not_get_to_a_peers_port() {
    let site = Site::new();
    // A network beside the overlay: neither are its pods among the overlay's, nor its bridge.
    masqueraded(&site);
    let [peer, peer6, other] = [PEER, PEER6, STRANGER].map(|to| listen(&site.outside, to));
    let pods = networks(["10.99.0.0/16", "fd00:99::/48"]);
    let guard = |filter| {
        let peers = [PEER, PEER6].map(|text| text.parse().unwrap());
        let wish = Overlay {
            port: PORT,
            peers: &peers,
            pods: &pods,
            bridges: &[],
            devices: &[],
            filter,
        };
        overlay::ensure(&mut site.node.nft(), &wish).unwrap();
    };
    guard(false);
    assert_eq!(site.pod.seen_by(POD, &peer).unwrap().ip().to_string(), NODE);
    guard(true);
    assert!(!site.pod.reaches(POD, &peer) && !site.pod.reaches(POD6, &peer6));
    assert!(overlay::dropped(&mut site.node.nft()).unwrap().pods > 0);
    // The node itself goes on, and the port of who is no peer is nobody's business.
    assert!(site.node.reaches(NODE, &peer) && site.node.reaches(NODE6, &peer6));
    assert!(site.pod.reaches(POD, &other));
}

#[test]
fn a_pod_that_claims_a_peers_address_is_dropped() {
    const CLAIMED: &str = "192.0.2.2";
    let site = Site::new();
    site.pod.address("eth0", "192.0.2.2/32");
    site.node.run(|| {
        for of in ["all", "vethpod"] {
            std::fs::write(format!("/proc/sys/net/ipv4/conf/{of}/rp_filter"), "0").unwrap();
        }
    });
    let server = listen(&site.node, NODE);
    overlaid(&site, PORT, false);
    assert!(site.pod.reaches(CLAIMED, &server));
    overlaid(&site, PORT, true);
    assert!(!site.pod.reaches(CLAIMED, &server));
}

/// The connections that conntrack knows in a namespace.
fn connections(ns: &Ns) -> u32 {
    let path = "/proc/sys/net/netfilter/nf_conntrack_count";
    let count = ns.run(|| std::fs::read_to_string(path).unwrap());
    count.trim().parse().unwrap()
}

#[test]
fn the_overlays_own_packets_are_not_tracked() {
    let site = Site::new();
    masqueraded(&site);
    let servers = [
        (&site.outside, NODE, &site.node),
        (&site.node, PEER, &site.outside),
    ];
    let sent = |from: &Ns, server: &UdpSocket| {
        let own = if std::ptr::eq(from, &raw const site.node) {
            NODE
        } else {
            PEER
        };
        assert!(from.reaches(own, server));
    };
    let sockets = servers.map(|(from, to, at)| (from, listen(at, to)));
    sockets.iter().for_each(|(from, server)| sent(from, server));
    assert_eq!(connections(&site.node), 2);
    overlaid(&site, PORT, true);
    sockets.iter().for_each(|(from, server)| sent(from, server));
    assert_eq!(connections(&site.node), 2);
}

/// The source ports that a server sees of the pod's flows, whose own port is `from` or any.
fn source_ports(site: &Site, from: u16, flows: usize) -> Vec<u16> {
    let server = site.outside.socket(PEER);
    let to = server.local_addr().unwrap();
    server
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let flow = |n: usize| {
        let from = if from == 0 {
            0
        } else {
            from + u16::try_from(n).unwrap()
        };
        let client = site
            .pod
            .run(|| UdpSocket::bind((POD.parse::<IpAddr>().unwrap(), from)));
        client.unwrap().send_to(b"x", to).unwrap();
        server.recv_from(&mut [0; 8]).unwrap().1.port()
    };
    (0..flows).map(flow).collect()
}

#[test]
fn masqueraded_flows_keep_off_the_port_and_its_smaller_side() {
    let site = Site::new();
    masqueraded(&site);
    overlaid(&site, 45000, true);
    let ports = source_ports(&site, 0, 100);
    assert!(
        ports.iter().all(|port| (1024..45000).contains(port)),
        "{ports:?}"
    );
    overlaid(&site, 20000, true);
    let ports = source_ports(&site, 0, 100);
    assert!(ports.iter().all(|port| *port > 20000), "{ports:?}");
    // Random still.
    assert!(
        ports
            .iter()
            .collect::<std::collections::BTreeSet<_>>()
            .len()
            > 90
    );
    // Privileged ports stay privileged.
    let ports = source_ports(&site, 600, 10);
    assert!(ports.iter().all(|port| *port < 1024), "{ports:?}");
    // Unless the port is one of them.
    overlaid(&site, 700, true);
    let ports = source_ports(&site, 650, 10);
    assert!(ports.iter().all(|port| *port > 1024), "{ports:?}");
}
