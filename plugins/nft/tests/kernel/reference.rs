// SPDX-License-Identifier: Apache-2.0
//! What the Go plugins left, laid out here as plugins 1.9.1 with iptables 1.8.9 lays it out.
//!
//! The names and comments are those that these wrote for network `podnet`, container `c1` or `c2`
//! and interface `eth0`.

use nft::{Batch, Expr, Family, Hook, Nft, Rule, Table, Verdict, reference};

use crate::lab::isolated;

const IPV4: Table<'static> = Table {
    family: Family::Ipv4,
    name: "nat",
};
const IPV6: Table<'static> = Table {
    family: Family::Ipv6,
    name: "nat",
};
const BRIDGE: Table<'static> = Table {
    family: Family::Bridge,
    name: "nat",
};
const MASQUERADE: Table<'static> = Table {
    family: Family::Inet,
    name: "cni_plugins_masquerade",
};
const C1: &str = "CNI-1d96a4c7e0d1b705cc10f1f7";
const C2_COMMENT: &str = "fa98a27bbcc17b2e-8c6ebb285a95686c, net: podnet, if: eth0, id: c2";
const OTHER_COMMENT: &str = "fa98a27bbcc17b2e-0123456789abcdef, net: podnet, if: eth1, id: c2";

fn commit(nft: &mut Nft, fill: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    fill(&mut batch);
    nft.commit(&batch).unwrap();
}

fn jump(chain: &str) -> Rule {
    Rule::new().verdict(&Verdict::Jump(chain.to_owned()))
}

/// `ipMasqBackend: iptables`
fn lay_iptables(batch: &mut Batch, table: Table<'_>, chains: &[&str]) {
    batch.add_table(table);
    batch.add_chain(table, "POSTROUTING", Some(Hook::SOURCE_NAT));
    for chain in chains {
        batch.add_chain(table, chain, None);
        batch.append_rule(table, chain, &Rule::new().verdict(&Verdict::Accept));
        batch.append_rule(table, chain, &Rule::new().with(Expr::Masquerade));
        batch.append_rule(table, "POSTROUTING", &jump(chain));
    }
}

/// `macspoofchk`
fn lay_spoof_check(batch: &mut Batch, attachments: &[&str]) {
    batch.add_table(BRIDGE);
    batch.add_chain(BRIDGE, "PREROUTING", Some(Hook::BRIDGE_INPUT));
    for attachment in attachments {
        let (port, mac) = (
            format!("cni-br-iface-{attachment}"),
            format!("cni-br-iface-{attachment}-mac"),
        );
        let comment = format!("macspoofchk-{attachment}");
        batch.add_chain(BRIDGE, &port, None);
        batch.add_chain(BRIDGE, &mac, None);
        batch.append_rule(BRIDGE, "PREROUTING", &jump(&port).comment(&*comment));
        batch.append_rule(BRIDGE, &port, &jump(&mac).comment(&*comment));
        batch.append_rule(
            BRIDGE,
            &mac,
            &Rule::new().verdict(&Verdict::Drop).comment(&*comment),
        );
    }
}

fn rules(nft: &mut Nft, table: Table<'_>, chain: &str) -> Vec<Option<String>> {
    nft.rules(table, Some(chain))
        .unwrap()
        .into_iter()
        .map(|rule| rule.comment)
        .collect()
}

#[test]
fn nothing_left_is_nothing_to_do() {
    let mut nft = isolated();
    reference::remove(&mut nft, "podnet", "c1", "eth0").unwrap();
    commit(&mut nft, |batch| lay_iptables(batch, IPV4, &["CNI-other"]));
    reference::remove(&mut nft, "podnet", "c1", "eth0").unwrap();
    assert_eq!(nft.rules(IPV4, None).unwrap().len(), 3);
}

#[test]
fn a_container_id_may_be_longer_than_a_chains_name() {
    let mut nft = isolated();
    for length in [237, 240, 260, 4000] {
        reference::remove(&mut nft, "podnet", &"c".repeat(length), "eth0").unwrap();
    }
}

#[test]
fn the_iptables_chain_and_its_call_go_in_both_protocols() {
    let mut nft = isolated();
    commit(&mut nft, |batch| {
        lay_iptables(batch, IPV4, &["CNI-first", C1, "CNI-last"]);
        lay_iptables(batch, IPV6, &[C1]);
    });
    for _ in 0..2 {
        reference::remove(&mut nft, "podnet", "c1", "eth0").unwrap();
        assert!(!nft.has_chain(IPV4, C1).unwrap() && !nft.has_chain(IPV6, C1).unwrap());
        let left = nft.rules(IPV4, Some("POSTROUTING")).unwrap();
        let left: Vec<_> = left.iter().filter_map(|rule| rule.target()).collect();
        assert_eq!(left, ["CNI-first", "CNI-last"]);
        assert!(nft.rules(IPV6, Some("POSTROUTING")).unwrap().is_empty());
    }
}

#[test]
fn the_rules_of_the_masquerade_table_go_and_others_stay() {
    let mut nft = isolated();
    let rule = |comment: &str| Rule::new().with(Expr::Masquerade).comment(comment);
    commit(&mut nft, |batch| {
        batch.add_table(MASQUERADE);
        batch.add_chain(MASQUERADE, "postrouting", Some(Hook::SOURCE_NAT));
        batch.add_chain(MASQUERADE, "masq_checks", None);
        for comment in [C2_COMMENT, OTHER_COMMENT, C2_COMMENT] {
            batch.append_rule(MASQUERADE, "masq_checks", &rule(comment));
        }
    });
    reference::remove(&mut nft, "podnet", "c2", "eth0").unwrap();
    assert_eq!(
        rules(&mut nft, MASQUERADE, "masq_checks"),
        [Some(OTHER_COMMENT.to_owned())]
    );
}

#[test]
fn the_spoof_checks_chains_and_their_call_go_and_others_stay() {
    let mut nft = isolated();
    commit(&mut nft, |batch| {
        lay_spoof_check(batch, &["c1-eth0", "c1-eth1", "c2-eth0"])
    });
    reference::remove(&mut nft, "podnet", "c1", "eth0").unwrap();
    assert!(!nft.has_chain(BRIDGE, "cni-br-iface-c1-eth0").unwrap());
    assert!(!nft.has_chain(BRIDGE, "cni-br-iface-c1-eth0-mac").unwrap());
    assert!(nft.has_chain(BRIDGE, "cni-br-iface-c1-eth1-mac").unwrap());
    let left = ["c1-eth1", "c2-eth0"].map(|attachment| Some(format!("macspoofchk-{attachment}")));
    assert_eq!(rules(&mut nft, BRIDGE, "PREROUTING"), left);
}
