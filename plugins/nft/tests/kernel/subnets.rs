// SPDX-License-Identifier: Apache-2.0
//! Whole subnets that the node's agent has masqueraded, beside networks that see to themselves.

use ipnetwork::IpNetwork;
use nft::masquerade::{self, Masquerade, Subnets};
use nft::{Batch, Nft};

use crate::lab::{INET, Ns, comments, isolated, networks};

fn wish<'a>(subnets: &'a [IpNetwork], exempt: &'a [IpNetwork]) -> Subnets<'a> {
    Subnets {
        owner: "overlay",
        subnets,
        exempt,
    }
}

fn missing(nft: &mut Nft, wish: &Subnets<'_>) -> usize {
    masquerade::missing_subnets(nft, wish).unwrap().len()
}

fn attachment<'a>(network: &'a str, addresses: &'a [IpNetwork]) -> Masquerade<'a> {
    Masquerade {
        network,
        owner: "veth1",
        addresses,
        exempt: &[],
    }
}

#[test]
fn what_is_missing_is_told_and_made_again_and_all_of_it_goes() {
    let mut nft = isolated();
    let subnets = networks(["10.1.0.0/24", "fd00:1::/64"]);
    let exempt = networks(["10.0.0.0/8", "192.0.2.0/24"]);
    let wish = wish(&subnets, &exempt);
    assert_ne!(missing(&mut nft, &wish), 0);
    masquerade::ensure_subnets(&mut nft, &wish).unwrap();
    assert_eq!(missing(&mut nft, &wish), 0);
    let chain = "masq-overlay/subnets";
    for damaged in ["postrouting", "exempt", chain] {
        let mut batch = Batch::new();
        batch.flush_chain(INET, damaged);
        nft.commit(&batch).unwrap();
        assert_ne!(missing(&mut nft, &wish), 0, "{damaged}");
        masquerade::ensure_subnets(&mut nft, &wish).unwrap();
        assert_eq!(missing(&mut nft, &wish), 0, "{damaged}");
    }
    assert_eq!(nft.rules(INET, Some(chain)).unwrap().len(), 4);
    masquerade::remove_subnets(&mut nft, "overlay").unwrap();
    assert!(!nft.has_table(INET).unwrap());
}

#[test]
fn another_pod_cidr_takes_the_place_of_the_former_one() {
    let mut nft = isolated();
    let [before, after] = [["10.1.0.0/24"], ["10.2.0.0/24"]].map(networks);
    masquerade::ensure_subnets(&mut nft, &wish(&before, &[])).unwrap();
    assert_ne!(missing(&mut nft, &wish(&after, &[])), 0);
    masquerade::ensure_subnets(&mut nft, &wish(&after, &[])).unwrap();
    assert_eq!(missing(&mut nft, &wish(&after, &[])), 0);
    for chain in ["postrouting", "exempt"] {
        let rules = comments(&mut nft, chain);
        let ours: Vec<_> = rules
            .iter()
            .filter(|it| it.starts_with("overlay"))
            .collect();
        assert_eq!(ours, ["overlay/subnets 10.2.0.0/24"], "{chain}");
    }
}

/// A network that says that nobody is to masquerade it says so of itself: the agent knows better.
#[test]
fn a_network_without_masquerade_leaves_its_pods_to_the_agent() {
    let mut nft = isolated();
    let (subnets, pod) = (networks(["10.1.0.0/24"]), networks(["10.1.0.5/24"]));
    masquerade::ensure_subnets(&mut nft, &wish(&subnets, &[])).unwrap();
    masquerade::exclude(&mut nft, "cbr0", "veth1", &pod, true).unwrap();
    assert!(nft.elements(INET, "pods4").unwrap().is_empty());
    let lacks = masquerade::missing_exclusion(&mut nft, "cbr0", "veth1", &pod).unwrap();
    assert_eq!(lacks, [""; 0]);
}

/// A network that is masqueraded by itself keeps its own exemptions, whichever came first.
#[test]
fn a_masqueraded_network_on_the_subnet_comes_first() {
    let (subnets, pod) = (networks(["10.1.0.0/24"]), networks(["10.1.0.5/24"]));
    for agent_first in [true, false] {
        let mut nft = isolated();
        let network = attachment("podnet", &pod);
        for step in [agent_first, !agent_first] {
            if step {
                masquerade::ensure_subnets(&mut nft, &wish(&subnets, &[])).unwrap();
            } else {
                masquerade::ensure(&mut nft, &network).unwrap();
            }
        }
        assert_eq!(missing(&mut nft, &wish(&subnets, &[])), 0);
        let lacks = masquerade::missing(&mut nft, &network).unwrap();
        assert_eq!(lacks, [""; 0]);
        let single = nft.elements(INET, "pods4").unwrap().len();
        assert_eq!(single, usize::from(agent_first));
        let rules = comments(&mut nft, "postrouting");
        let first = rules.iter().find(|it| it.ends_with("10.1.0.0/24"));
        let expected = if agent_first {
            "overlay/subnets"
        } else {
            "podnet"
        };
        assert!(first.unwrap().starts_with(expected), "{rules:?}");
        masquerade::remove_subnets(&mut nft, "overlay").unwrap();
        let lacks = masquerade::missing(&mut nft, &network).unwrap();
        assert_eq!(lacks, [""; 0]);
    }
}

#[test]
fn packets_get_the_nodes_address_but_to_what_is_exempt() {
    let (pods, node, world) = (Ns::new(), Ns::new(), Ns::new());
    pods.connect("eth0", &node, "veth");
    node.connect("eth0", &world, "eth0");
    pods.address("eth0", "10.1.0.5/24");
    node.address("veth", "10.1.0.1/24");
    node.address("eth0", "192.0.2.2/24");
    world.address("eth0", "192.0.2.1/24");
    world.address("eth0", "10.0.9.9/32");
    pods.route("0.0.0.0/0", "10.1.0.1");
    node.route("10.0.9.9/32", "192.0.2.1");
    node.forward();
    let servers = ["192.0.2.1", "10.0.9.9"].map(|address| world.socket(address));
    let (subnets, exempt) = (networks(["10.1.0.0/24"]), networks(["10.0.0.0/16"]));
    let mut nft = node.nft();
    masquerade::ensure_subnets(&mut nft, &wish(&subnets, &exempt)).unwrap();
    let seen = servers.map(|server| pods.seen_by("10.1.0.5", &server).unwrap().ip());
    assert_eq!(seen.map(|it| it.to_string()), ["192.0.2.2", "10.1.0.5"]);
}
