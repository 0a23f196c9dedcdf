// SPDX-License-Identifier: Apache-2.0
//! What masquerade keeps in the kernel, from a network's first attachment to its last.

use std::sync::Barrier;

use ipnetwork::IpNetwork;
use nft::masquerade::{self, Masquerade};
use nft::{Batch, Family, Nft, Rule, Table, Verdict};

use crate::lab::{INET, Ns, comments, isolated, networks};

const NETWORK_RULES: [&str; 2] = ["podnet 10.1.0.0/16", "podnet fd00:1::/64"];

fn wish(addresses: &[IpNetwork]) -> Masquerade<'_> {
    Masquerade {
        network: "podnet",
        owner: "veth1",
        addresses,
        exempt: &[],
    }
}

/// What stands behind the rules that a chain always begins with.
fn claims(nft: &mut Nft, chain: &str) -> Vec<String> {
    comments(nft, chain)
        .into_iter()
        .filter(|comment| comment != "-")
        .collect()
}

#[test]
fn the_first_attachment_makes_the_networks_rules_and_later_ones_find_them() {
    let mut nft = isolated();
    let first = networks(["10.1.0.5/16", "fd00:1::5/64"]);
    assert!(
        !masquerade::missing(&mut nft, &wish(&first))
            .unwrap()
            .is_empty()
    );
    masquerade::ensure(&mut nft, &wish(&first)).unwrap();
    assert_eq!(claims(&mut nft, "postrouting"), NETWORK_RULES);
    assert_eq!(claims(&mut nft, "exempt"), NETWORK_RULES);
    let handles = |nft: &mut Nft| -> Vec<u64> {
        nft.rules(INET, None)
            .unwrap()
            .iter()
            .map(|rule| rule.handle)
            .collect()
    };
    let before = handles(&mut nft);
    let second = networks(["10.1.7.9/16", "fd00:1::9/64"]);
    masquerade::ensure(&mut nft, &wish(&second)).unwrap();
    assert_eq!(handles(&mut nft), before);
    assert!(nft.elements(INET, "pods4").unwrap().is_empty());
    assert_eq!(
        masquerade::missing(&mut nft, &wish(&second)).unwrap(),
        [""; 0]
    );
}

#[test]
fn the_end_of_an_attachment_leaves_the_networks_rules_and_the_last_gc_nothing() {
    let mut nft = isolated();
    masquerade::release(&mut nft, "podnet", "veth1").unwrap();
    masquerade::collect(&mut nft, "podnet", &[]).unwrap();
    let addresses = networks(["10.1.0.5/16", "fd00:1::5/64"]);
    masquerade::ensure(&mut nft, &wish(&addresses)).unwrap();
    masquerade::release(&mut nft, "podnet", "veth1").unwrap();
    assert_eq!(claims(&mut nft, "postrouting"), NETWORK_RULES);
    masquerade::collect(&mut nft, "podnet", &["veth2".to_owned()]).unwrap();
    assert_eq!(claims(&mut nft, "postrouting"), NETWORK_RULES);
    masquerade::collect(&mut nft, "podnet", &[]).unwrap();
    assert!(!nft.has_table(INET).unwrap());
}

#[test]
fn gc_of_one_network_leaves_the_others_and_what_others_have_in_the_table() {
    let mut nft = isolated();
    masquerade::ensure(&mut nft, &wish(&networks(["10.1.0.5/16"]))).unwrap();
    let addresses = networks(["10.2.0.5/16"]);
    let other = Masquerade {
        network: "other",
        ..wish(&addresses)
    };
    masquerade::ensure(&mut nft, &other).unwrap();
    masquerade::collect(&mut nft, "podnet", &[]).unwrap();
    assert_eq!(claims(&mut nft, "postrouting"), ["other 10.2.0.0/16"]);
    assert_eq!(claims(&mut nft, "exempt"), ["other 10.2.0.0/16"]);
    assert!(!nft.has_chain(INET, "masq-podnet").unwrap());
    assert_eq!(masquerade::missing(&mut nft, &other).unwrap(), [""; 0]);

    let mut batch = Batch::new();
    batch.add_chain(INET, "portmap", None);
    nft.commit(&batch).unwrap();
    masquerade::collect(&mut nft, "other", &[]).unwrap();
    assert!(nft.has_chain(INET, "portmap").unwrap());
    assert!(!nft.has_chain(INET, "postrouting").unwrap());
    assert!(!nft.has_set(INET, "pods4").unwrap());
}

#[test]
fn a_network_gets_further_subnets_and_keeps_the_earlier_ones() {
    let mut nft = isolated();
    masquerade::ensure(&mut nft, &wish(&networks(["10.1.0.5/16", "10.1.0.6/16"]))).unwrap();
    masquerade::ensure(&mut nft, &wish(&networks(["10.3.0.5/16"]))).unwrap();
    // Inside one that is there already.
    masquerade::ensure(&mut nft, &wish(&networks(["10.1.9.5/24"]))).unwrap();
    assert_eq!(
        claims(&mut nft, "postrouting"),
        ["podnet 10.1.0.0/16", "podnet 10.3.0.0/16"]
    );
}

#[test]
fn the_exemptions_are_those_of_the_last_configuration() {
    let mut nft = isolated();
    let addresses = networks(["10.1.0.5/16"]);
    for exempt in [
        vec![],
        vec!["192.0.2.0/24"],
        vec!["192.0.2.0/25", "2001:db8::/32"],
    ] {
        let exempt: Vec<IpNetwork> = exempt.iter().map(|text| text.parse().unwrap()).collect();
        let wish = Masquerade {
            exempt: &exempt,
            ..wish(&addresses)
        };
        masquerade::ensure(&mut nft, &wish).unwrap();
        assert_eq!(masquerade::missing(&mut nft, &wish).unwrap(), [""; 0]);
        assert_eq!(
            nft.rules(INET, Some("masq-podnet")).unwrap().len(),
            exempt.len() + 2
        );
    }
}

#[test]
fn whatever_others_removed_is_told_and_made_again() {
    let addresses = networks(["10.1.0.5/16"]);
    type Damage = fn(&mut Batch);
    let damages: [Damage; 4] = [
        |batch| batch.flush_chain(INET, "postrouting"),
        |batch| batch.flush_chain(INET, "exempt"),
        |batch| batch.flush_chain(INET, "masq-podnet"),
        // A rule in front, which lets everything go untranslated.
        |batch| batch.insert_rule(INET, "postrouting", &Rule::new().verdict(&Verdict::Accept)),
    ];
    for damage in damages {
        let mut nft = isolated();
        masquerade::ensure(&mut nft, &wish(&addresses)).unwrap();
        let intact = comments(&mut nft, "postrouting").len();
        let mut batch = Batch::new();
        damage(&mut batch);
        nft.commit(&batch).unwrap();
        assert_ne!(
            masquerade::missing(&mut nft, &wish(&addresses)).unwrap(),
            [""; 0]
        );
        masquerade::ensure(&mut nft, &wish(&addresses)).unwrap();
        assert_eq!(
            masquerade::missing(&mut nft, &wish(&addresses)).unwrap(),
            [""; 0]
        );
        assert!(comments(&mut nft, "postrouting").len() - intact <= 1);
    }
}

#[test]
fn a_long_network_name_is_cut_and_its_rules_are_found_again() {
    let mut nft = isolated();
    let (addresses, name) = (networks(["10.1.0.5/16", "fd00::5/128"]), "n".repeat(300));
    let wish = Masquerade {
        network: &name,
        ..wish(&addresses)
    };
    masquerade::ensure(&mut nft, &wish).unwrap();
    assert_eq!(masquerade::missing(&mut nft, &wish).unwrap(), [""; 0]);
    assert!(
        comments(&mut nft, "exempt")
            .iter()
            .all(|comment| comment.len() < 128)
    );
    masquerade::release(&mut nft, &name, "veth1").unwrap();
    assert!(nft.elements(INET, "pods6").unwrap().is_empty());
    masquerade::collect(&mut nft, &name, &[]).unwrap();
    assert!(!nft.has_table(INET).unwrap());
}

#[test]
fn shared_destinations_are_replaced_and_taken_back() {
    let mut nft = isolated();
    masquerade::unshare(&mut nft, "overlay").unwrap();
    masquerade::share(&mut nft, "overlay", &[]).unwrap();
    assert!(!nft.has_table(INET).unwrap());
    masquerade::share(
        &mut nft,
        "overlay",
        &networks(["10.244.0.0/16", "fd44::/48"]),
    )
    .unwrap();
    let wish = networks(["10.245.7.7/16", "fd44::/48"]);
    assert_eq!(
        masquerade::missing_shared(&mut nft, "overlay", &wish).unwrap(),
        [
            "table inet podwire has no rule that exempts 10.245.0.0/16 of network shared:overlay",
            "chain exempt of table inet podwire exempts what overlay does not share any more",
        ]
    );
    masquerade::share(&mut nft, "overlay", &wish).unwrap();
    let lacks = masquerade::missing_shared(&mut nft, "overlay", &wish).unwrap();
    assert!(lacks.is_empty(), "{lacks:?}");
    // A network of the same name is another owner.
    masquerade::collect(&mut nft, "overlay", &[]).unwrap();
    let shared = ["shared:overlay fd44::/48", "shared:overlay 10.245.0.0/16"];
    assert_eq!(claims(&mut nft, "exempt"), shared);
    masquerade::unshare(&mut nft, "overlay").unwrap();
    assert!(!nft.has_table(INET).unwrap());
}

/// Fifty attachments at once, of `networks` networks, on an empty namespace.
fn storm(networks: usize) {
    const THREADS: usize = 50;
    let node = Ns::new();
    let start = Barrier::new(THREADS);
    let addresses = |i: usize| [format!("10.{}.0.{i}/16", i % networks).parse().unwrap()];
    let network = |i: usize| format!("net{}", i % networks);
    std::thread::scope(|scope| {
        for i in 0..THREADS {
            let (mut nft, start) = (node.nft(), &start);
            scope.spawn(move || {
                let (network, addresses) = (network(i), addresses(i));
                start.wait();
                let wish = Masquerade {
                    network: &network,
                    ..wish(&addresses)
                };
                masquerade::ensure(&mut nft, &wish).unwrap();
            });
        }
    });
    let mut nft = node.nft();
    for chain in ["postrouting", "exempt"] {
        let mut found = claims(&mut nft, chain);
        found.sort();
        let mut expected: Vec<String> = (0..networks)
            .map(|i| format!("net{i} 10.{i}.0.0/16"))
            .collect();
        expected.sort();
        assert_eq!(found, expected);
    }
    for i in 0..networks {
        assert_eq!(
            nft.rules(INET, Some(&format!("masq-net{i}")))
                .unwrap()
                .len(),
            2
        );
    }
    assert_eq!(comments(&mut nft, "postrouting").len(), 4 + networks);
}

#[test]
fn fifty_attachments_of_one_network_at_once_make_one_set_of_rules() {
    storm(1);
}

#[test]
fn fifty_networks_at_once_make_one_set_of_rules_each() {
    storm(50);
}

#[test]
fn a_table_of_the_same_name_in_another_family_is_not_ours() {
    let mut nft = isolated();
    let bridge = Table {
        family: Family::Bridge,
        ..INET
    };
    let mut batch = Batch::new();
    batch.add_table(bridge);
    nft.commit(&batch).unwrap();
    masquerade::ensure(&mut nft, &wish(&networks(["10.1.0.5/16"]))).unwrap();
    masquerade::collect(&mut nft, "podnet", &[]).unwrap();
    assert!(nft.has_table(bridge).unwrap() && !nft.has_table(INET).unwrap());
}
