// SPDX-License-Identifier: Apache-2.0
//! What guards the overlay, as it stands in the kernel: made, changed, damaged, taken back.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::{Command, Stdio};

use ipnetwork::IpNetwork;
use nft::masquerade::{self, Masquerade};
use nft::overlay::{self, Overlay};
use nft::{Batch, Element, Family, Monitor, Nft, Rule, Table, Verdict};

use crate::lab::{INET, isolated, networks};

const TABLE: Table<'static> = Table {
    family: Family::Inet,
    name: "podwire-overlay",
};

fn addresses<const N: usize>(texts: [&str; N]) -> [IpAddr; N] {
    texts.map(|text| text.parse().unwrap())
}

fn wish<'a>(peers: &'a [IpAddr], pods: &'a [IpNetwork]) -> Overlay<'a> {
    Overlay {
        port: 8472,
        peers,
        pods,
        bridges: &["cni0"],
        devices: &["podwire.1"],
        filter: true,
    }
}

fn none() -> Vec<String> {
    Vec::new()
}

fn handles(nft: &mut Nft) -> Vec<u64> {
    let rules = [TABLE, INET].map(|table| nft.rules(table, None).unwrap());
    rules.iter().flatten().map(|rule| rule.handle).collect()
}

fn members(nft: &mut Nft, set: &str) -> BTreeSet<Vec<u8>> {
    let elements = nft.elements(TABLE, set).unwrap();
    elements.into_iter().map(|element| element.key).collect()
}

fn masquerade_network(nft: &mut Nft, network: &str, address: &str) {
    let addresses = networks([address]);
    let wish = Masquerade {
        network,
        owner: "veth1",
        addresses: &addresses,
        exempt: &[],
    };
    masquerade::ensure(nft, &wish).unwrap();
    assert_eq!(masquerade::missing(nft, &wish).unwrap(), none());
}

#[test]
fn what_is_right_is_not_written_again_and_peers_change_by_difference() {
    let mut nft = isolated();
    let pods = networks(["10.200.0.0/16", "fd00:200::/48"]);
    let peers = addresses(["192.0.2.2", "192.0.2.3", "2001:db8::2"]);
    let first = wish(&peers, &pods);
    assert!(!overlay::missing(&mut nft, &first).unwrap().is_empty());
    overlay::ensure(&mut nft, &first).unwrap();
    assert_eq!(overlay::missing(&mut nft, &first).unwrap(), none());

    let mut monitor = Monitor::open().unwrap();
    overlay::ensure(&mut nft, &first).unwrap();
    assert!(!monitor.drain().unwrap());

    let before = handles(&mut nft);
    let peers = addresses(["192.0.2.3", "192.0.2.4", "2001:db8::3", "192.0.2.3"]);
    let second = wish(&peers, &pods);
    assert_eq!(
        overlay::missing(&mut nft, &second).unwrap(),
        [
            "set vteps4 of table inet podwire-overlay lacks 192.0.2.4",
            "set vteps4 of table inet podwire-overlay holds 192.0.2.2, not of a known peer",
            "set vteps6 of table inet podwire-overlay lacks 2001:db8::3",
            "set vteps6 of table inet podwire-overlay holds 2001:db8::2, not of a known peer",
        ]
    );
    overlay::ensure(&mut nft, &second).unwrap();
    assert_eq!(overlay::missing(&mut nft, &second).unwrap(), none());
    assert_eq!(
        members(&mut nft, "vteps4"),
        [vec![192, 0, 2, 3], vec![192, 0, 2, 4]].into()
    );
    assert_eq!(handles(&mut nft), before);
}

#[test]
fn a_changed_configuration_replaces_the_former_one() {
    let mut nft = isolated();
    masquerade_network(&mut nft, "podnet", "10.200.1.5/24");
    let (peers, pods) = (addresses(["192.0.2.2"]), networks(["10.200.0.0/16"]));
    let usual = wish(&peers, &pods);
    let further = networks(["10.200.0.0/16", "10.201.0.0/16"]);
    for changed in [
        usual,
        Overlay {
            port: 4789,
            ..usual
        },
        Overlay {
            port: 60000,
            ..usual
        },
        Overlay {
            port: 1024,
            ..usual
        },
        Overlay { port: 500, ..usual },
        Overlay {
            bridges: &["br0", "br1"],
            ..usual
        },
        Overlay {
            devices: &["podwire.2", "podwire-v6.2"],
            ..usual
        },
        Overlay {
            pods: &further,
            ..usual
        },
        Overlay {
            filter: false,
            ..usual
        },
        Overlay {
            peers: &[],
            ..usual
        },
    ] {
        overlay::ensure(&mut nft, &changed).unwrap();
        assert_eq!(overlay::missing(&mut nft, &changed).unwrap(), none());
        let held = nft.rules(TABLE, Some("sources")).unwrap();
        assert_eq!(held.is_empty(), !changed.filter);
        assert_eq!(nft.rules(INET, Some("masq-podnet")).unwrap().len(), 3);
    }
}

#[test]
fn whatever_others_removed_is_told_and_made_again() {
    let (peers, pods) = (addresses(["192.0.2.2"]), networks(["10.200.0.0/16"]));
    let wish = wish(&peers, &pods);
    type Damage = fn(&mut Batch);
    let damages: [Damage; 9] = [
        |batch| batch.delete_table(TABLE),
        |batch| batch.delete_table(INET),
        |batch| batch.flush_chain(TABLE, "sources"),
        |batch| batch.delete_chain(TABLE, "output"),
        |batch| batch.flush_chain(TABLE, "node"),
        |batch| batch.delete_chain(TABLE, "leaving"),
        |batch| batch.insert_rule(TABLE, "input", &Rule::new().verdict(&Verdict::Accept)),
        |batch| batch.delete_element(TABLE, "vteps4", &[192, 0, 2, 2]),
        |batch| {
            let key = vec![192, 0, 2, 9];
            let stranger = Element {
                key,
                value: None,
                comment: None,
            };
            batch.add_element(TABLE, "vteps4", &stranger);
        },
    ];
    for damage in damages {
        let mut nft = isolated();
        overlay::ensure(&mut nft, &wish).unwrap();
        let mut batch = Batch::new();
        damage(&mut batch);
        nft.commit(&batch).unwrap();
        let missing = overlay::missing(&mut nft, &wish).unwrap();
        assert_ne!(missing, none());
        // Of what is beyond the wish it sees rules only.
        let beyond = missing.iter().all(|it| it.ends_with("not of a known peer"));
        assert_eq!(
            overlay::holds(&mut nft, &wish, "overlay", &[]).unwrap(),
            beyond
        );
        overlay::ensure(&mut nft, &wish).unwrap();
        assert_eq!(overlay::missing(&mut nft, &wish).unwrap(), none());
        assert!(overlay::holds(&mut nft, &wish, "overlay", &[]).unwrap());
    }
}

#[test]
fn networks_before_and_after_the_overlay_keep_off_its_port() {
    let mut nft = isolated();
    let (peers, pods) = (addresses(["192.0.2.2"]), networks(["10.200.0.0/16"]));
    let wish = wish(&peers, &pods);
    masquerade_network(&mut nft, "before", "10.200.1.5/24");
    overlay::ensure(&mut nft, &wish).unwrap();
    masquerade_network(&mut nft, "before", "10.200.1.6/24");
    masquerade_network(&mut nft, "after", "10.200.2.5/24");
    assert_eq!(overlay::missing(&mut nft, &wish).unwrap(), none());
    for chain in ["masq-before", "masq-after"] {
        let rules = nft.rules(INET, Some(chain)).unwrap();
        assert_eq!(rules.len(), 3);
        assert_eq!(rules[1].target().as_deref(), Some("reserve"));
    }
    overlay::remove(&mut nft).unwrap();
    assert!(!nft.has_table(TABLE).unwrap() && !nft.has_chain(INET, "reserve").unwrap());
    masquerade_network(&mut nft, "before", "10.200.1.7/24");
    for (network, chain) in [("before", "masq-before"), ("after", "masq-after")] {
        assert_eq!(nft.rules(INET, Some(chain)).unwrap().len(), 2);
        masquerade::collect(&mut nft, network, &[]).unwrap();
    }
    assert!(!nft.has_table(INET).unwrap());
}

#[test]
fn the_last_network_leaves_the_overlay_what_it_has_and_nothing_is_left_after_both() {
    let mut nft = isolated();
    overlay::remove(&mut nft).unwrap();
    let (peers, pods) = (addresses(["192.0.2.2"]), networks(["10.200.0.0/16"]));
    let wish = wish(&peers, &pods);
    overlay::ensure(&mut nft, &wish).unwrap();
    masquerade_network(&mut nft, "podnet", "10.200.1.5/24");
    masquerade::collect(&mut nft, "podnet", &[]).unwrap();
    assert_eq!(overlay::missing(&mut nft, &wish).unwrap(), none());
    assert!(!nft.has_chain(INET, "postrouting").unwrap());
    overlay::remove(&mut nft).unwrap();
    assert!(!nft.has_table(TABLE).unwrap() && !nft.has_table(INET).unwrap());
}

#[test]
fn a_ruleset_that_nft_saved_and_restored_is_the_same() {
    let mut nft = isolated();
    let pods = networks(["10.200.0.0/16", "fd00:200::/48"]);
    let peers = addresses(["192.0.2.2", "2001:db8::2"]);
    for port in [8472, 60000, 500] {
        let wish = Overlay {
            port,
            ..wish(&peers, &pods)
        };
        overlay::ensure(&mut nft, &wish).unwrap();
        masquerade_network(&mut nft, "podnet", "10.200.1.5/24");
        let listed = Command::new("nft")
            .args(["list", "ruleset"])
            .output()
            .unwrap();
        assert!(listed.status.success());
        let mut batch = Batch::new();
        batch.delete_table(INET);
        batch.delete_table(TABLE);
        nft.commit(&batch).unwrap();
        let mut restore = Command::new("nft")
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = restore.stdin.take().unwrap();
        std::io::Write::write_all(&mut input, &listed.stdout).unwrap();
        drop(input);
        assert!(restore.wait().unwrap().success());
        assert_eq!(overlay::missing(&mut nft, &wish).unwrap(), none());
        masquerade_network(&mut nft, "podnet", "10.200.1.5/24");
    }
}

#[test]
fn single_peers_come_and_go_without_a_look_at_the_others() {
    let mut nft = isolated();
    let [old, new, new6] = addresses(["192.0.2.2", "192.0.2.3", "2001:db8::3"]);
    assert!(!overlay::update(&mut nft, &[new], &[old]).unwrap());
    assert!(!nft.has_table(TABLE).unwrap());
    let pods = networks(["10.200.0.0/16"]);
    overlay::ensure(&mut nft, &wish(&[old], &pods)).unwrap();
    for _ in 0..2 {
        assert!(overlay::update(&mut nft, &[new, new6, new], &[old]).unwrap());
        let after = [new, new6];
        assert_eq!(
            overlay::missing(&mut nft, &wish(&after, &pods)).unwrap(),
            none()
        );
    }
}

fn peers(number: u32) -> Vec<IpAddr> {
    let four = (0..number).map(|n| IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n)));
    let six = (0..number).map(|n| IpAddr::V6(Ipv6Addr::from((0xfd << 120) + u128::from(n))));
    four.chain(six).collect()
}

#[test]
fn thousands_of_peers_of_both_protocols_come_change_and_go() {
    let mut nft = isolated();
    let pods = networks(["10.200.0.0/16"]);
    for number in [5_000, 5_001, 20_000, 1] {
        let peers = peers(number);
        let wish = wish(&peers, &pods);
        overlay::ensure(&mut nft, &wish).unwrap();
        assert_eq!(overlay::missing(&mut nft, &wish).unwrap(), none());
    }
}
