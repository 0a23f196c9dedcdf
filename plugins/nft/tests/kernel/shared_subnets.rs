// SPDX-License-Identifier: Apache-2.0
//! Pods that a subnet's rule cannot serve: their elements, whose they are, and when they go.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use nft::masquerade::{self, Masquerade};
use nft::{Element, Nft, Value, Verdict};

use crate::lab::{INET, comments, isolated, networks};

fn ensure(nft: &mut Nft, network: &str, owner: &str, addresses: &[IpNetwork]) {
    let wish = Masquerade {
        network,
        owner,
        addresses,
        exempt: &[],
    };
    masquerade::ensure(nft, &wish).unwrap();
    assert_eq!(missing(nft, network, owner, addresses), [""; 0]);
}

fn missing(nft: &mut Nft, network: &str, owner: &str, addresses: &[IpNetwork]) -> Vec<String> {
    let wish = Masquerade {
        network,
        owner,
        addresses,
        exempt: &[],
    };
    masquerade::missing(nft, &wish).unwrap()
}

/// The element of an IPv4 address: its verdict and its comment.
fn pod(nft: &mut Nft, address: &str) -> Option<(Verdict, String)> {
    let IpAddr::V4(address) = address.parse().unwrap() else {
        panic!("an IPv4 address")
    };
    let as_source = nft.element(INET, "pods4", &address.octets()).unwrap();
    let as_destination = nft.element(INET, "peers4", &address.octets()).unwrap();
    let comment = |element: &Element| element.comment.clone().unwrap();
    assert_eq!(
        as_source.as_ref().map(comment),
        as_destination.as_ref().map(comment)
    );
    as_source.map(|element| match &element.value {
        Some(Value::Verdict(verdict)) => (verdict.clone(), comment(&element)),
        other => panic!("{other:?}"),
    })
}

fn goto(network: &str, owner: &str) -> Option<(Verdict, String)> {
    Some((
        Verdict::Goto(format!("masq-{network}")),
        format!("{network} {owner}"),
    ))
}

#[test]
fn the_second_network_on_a_subnet_has_its_pods_served_singly() {
    let mut nft = isolated();
    ensure(&mut nft, "first", "veth1", &networks(["10.1.0.5/16"]));
    ensure(&mut nft, "second", "veth2", &networks(["10.1.7.6/24"]));
    ensure(&mut nft, "third", "veth3", &networks(["10.9.0.7/8"]));
    assert_eq!(pod(&mut nft, "10.1.0.5"), None);
    assert_eq!(pod(&mut nft, "10.1.7.6"), goto("second", "veth2"));
    assert_eq!(pod(&mut nft, "10.9.0.7"), goto("third", "veth3"));
    assert_eq!(
        comments(&mut nft, "postrouting")[4..],
        ["first 10.1.0.0/16"]
    );
    // Both subnets are exempt all the same.
    let exempt = [
        "first 10.1.0.0/16",
        "second 10.1.7.0/24",
        "third 10.0.0.0/8",
    ];
    assert_eq!(comments(&mut nft, "exempt")[2..], exempt);
}

#[test]
fn the_second_network_gets_its_rule_when_the_first_is_gone() {
    let mut nft = isolated();
    ensure(&mut nft, "first", "veth1", &networks(["10.1.0.5/16"]));
    ensure(&mut nft, "second", "veth2", &networks(["10.1.0.6/16"]));
    masquerade::collect(&mut nft, "first", &[]).unwrap();
    assert_eq!(pod(&mut nft, "10.1.0.6"), goto("second", "veth2"));
    // The first pod lacks nothing, and gets nothing further.
    assert_eq!(
        missing(&mut nft, "second", "veth2", &networks(["10.1.0.6/16"])),
        [""; 0]
    );
    ensure(&mut nft, "second", "veth2", &networks(["10.1.0.6/16"]));
    assert_eq!(comments(&mut nft, "postrouting").len(), 4);
    ensure(&mut nft, "second", "veth3", &networks(["10.1.0.7/16"]));
    assert_eq!(pod(&mut nft, "10.1.0.7"), None);
    assert_eq!(
        comments(&mut nft, "postrouting")[4..],
        ["second 10.1.0.0/16"]
    );
    masquerade::release(&mut nft, "second", "veth2").unwrap();
    assert_eq!(pod(&mut nft, "10.1.0.6"), None);
    masquerade::collect(&mut nft, "second", &[]).unwrap();
    assert!(!nft.has_table(INET).unwrap());
}

#[test]
fn release_takes_the_attachments_own_elements_only() {
    let mut nft = isolated();
    ensure(
        &mut nft,
        "podnet",
        "veth1",
        &networks(["10.1.0.5/32", "10.1.0.6/32"]),
    );
    ensure(&mut nft, "podnet", "veth11", &networks(["10.1.0.7/32"]));
    ensure(&mut nft, "other", "veth1", &networks(["10.1.0.8/32"]));
    masquerade::release(&mut nft, "podnet", "veth1").unwrap();
    masquerade::release(&mut nft, "podnet", "veth1").unwrap();
    assert_eq!(pod(&mut nft, "10.1.0.5"), None);
    assert_eq!(pod(&mut nft, "10.1.0.6"), None);
    assert_eq!(pod(&mut nft, "10.1.0.7"), goto("podnet", "veth11"));
    assert_eq!(pod(&mut nft, "10.1.0.8"), goto("other", "veth1"));
}

#[test]
fn gc_takes_the_networks_invalid_attachments_only() {
    let mut nft = isolated();
    ensure(
        &mut nft,
        "podnet",
        "veth1",
        &networks(["10.1.0.5/32", "fd00::5/128"]),
    );
    ensure(&mut nft, "podnet", "veth2", &networks(["10.1.0.6/32"]));
    ensure(&mut nft, "other", "veth3", &networks(["10.1.0.7/32"]));
    masquerade::collect(&mut nft, "podnet", &["veth2".to_owned()]).unwrap();
    assert_eq!(pod(&mut nft, "10.1.0.5"), None);
    assert!(nft.elements(INET, "pods6").unwrap().is_empty());
    assert_eq!(pod(&mut nft, "10.1.0.6"), goto("podnet", "veth2"));
    assert_eq!(pod(&mut nft, "10.1.0.7"), goto("other", "veth3"));
}

#[test]
fn gc_of_a_thousand_attachments_leaves_nothing() {
    let mut nft = isolated();
    let addresses: Vec<IpNetwork> = (0..1200)
        .map(|i| format!("10.1.{}.{}/32", i / 250, i % 250).parse().unwrap())
        .collect();
    for part in addresses.chunks(400) {
        ensure(&mut nft, "podnet", "veth1", part);
    }
    masquerade::collect(&mut nft, "podnet", &[]).unwrap();
    assert!(!nft.has_table(INET).unwrap());
}

#[test]
fn a_new_attachment_takes_its_address_over_from_what_was_left_behind() {
    let mut nft = isolated();
    ensure(&mut nft, "podnet", "veth1", &networks(["10.1.0.5/16"]));
    masquerade::exclude(
        &mut nft,
        "plain",
        "vethold",
        &networks(["10.1.0.6/16"]),
        false,
    )
    .unwrap();
    assert_eq!(
        pod(&mut nft, "10.1.0.6"),
        Some((Verdict::Accept, "plain vethold".to_owned()))
    );
    ensure(&mut nft, "podnet", "veth2", &networks(["10.1.0.6/16"]));
    assert_eq!(pod(&mut nft, "10.1.0.6"), None);

    ensure(&mut nft, "second", "veth3", &networks(["10.1.0.7/16"]));
    ensure(&mut nft, "second", "veth4", &networks(["10.1.0.7/16"]));
    assert_eq!(pod(&mut nft, "10.1.0.7"), goto("second", "veth4"));
}

#[test]
fn check_tells_whose_element_is_in_the_way() {
    let mut nft = isolated();
    let addresses = networks(["10.1.0.6/16"]);
    ensure(&mut nft, "podnet", "veth1", &addresses);
    masquerade::exclude(&mut nft, "plain", "vethold", &addresses, false).unwrap();
    let wish = Masquerade {
        network: "podnet",
        owner: "veth1",
        addresses: &addresses,
        exempt: &[],
    };
    let lacks = masquerade::missing(&mut nft, &wish).unwrap();
    let sentence =
        "map pods4 of table inet podwire treats 10.1.0.6 as that of another: \"plain vethold\"";
    assert_eq!(lacks, [sentence]);
}

#[test]
fn an_unmasqueraded_attachment_changes_nothing_unless_it_is_covered() {
    let mut nft = isolated();
    let addresses = networks(["10.1.0.6/16", "fd00:1::6/64"]);
    masquerade::exclude(&mut nft, "plain", "veth2", &addresses, false).unwrap();
    assert!(!nft.has_table(INET).unwrap());
    ensure(&mut nft, "podnet", "veth1", &networks(["10.2.0.5/16"]));
    masquerade::exclude(&mut nft, "plain", "veth2", &addresses, false).unwrap();
    assert!(nft.elements(INET, "pods4").unwrap().is_empty());
    ensure(&mut nft, "podnet", "veth1", &networks(["10.1.0.5/24"]));
    masquerade::exclude(&mut nft, "plain", "veth2", &addresses, false).unwrap();
    assert_eq!(
        pod(&mut nft, "10.1.0.6"),
        Some((Verdict::Accept, "plain veth2".to_owned()))
    );
    assert!(nft.elements(INET, "pods6").unwrap().is_empty());
    masquerade::release(&mut nft, "plain", "veth2").unwrap();
    assert_eq!(pod(&mut nft, "10.1.0.6"), None);
}

#[test]
fn a_routed_subnet_that_is_not_masqueraded_is_a_destination_without_translation() {
    let mut nft = isolated();
    let plain = networks(["10.2.0.5/16"]);
    masquerade::exclude(&mut nft, "plain", "veth1", &plain, true).unwrap();
    assert!(!nft.has_table(INET).unwrap(), "nothing to be spared from");
    ensure(&mut nft, "first", "veth2", &networks(["10.1.0.5/16"]));
    masquerade::exclude(&mut nft, "lan", "veth3", &networks(["10.3.0.5/16"]), false).unwrap();
    for _ in 0..2 {
        masquerade::exclude(&mut nft, "plain", "veth1", &plain, true).unwrap();
        let exempt = ["first 10.1.0.0/16", "plain 10.2.0.0/16"];
        assert_eq!(comments(&mut nft, "exempt")[2..], exempt);
    }
    masquerade::collect(&mut nft, "plain", &[]).unwrap();
    assert_eq!(comments(&mut nft, "exempt")[2..], ["first 10.1.0.0/16"]);
}
