// SPDX-License-Identifier: Apache-2.0
//! What flanneld left, laid out here as flannel 0.28 with iptables 1.8.9 lays it out.

use std::process::Command;

use nft::{Batch, Expr, Family, Hook, Nft, Rule, Table, Verdict, flannel, forward};

use crate::lab::{isolated, networks};

const NAT: [Table<'static>; 2] = tables("nat");
const FILTER: [Table<'static>; 2] = tables("filter");
const NETWORKS: [&str; 2] = ["10.244.0.0/16", "fd00:244::/48"];

const fn tables(name: &'static str) -> [Table<'static>; 2] {
    let [four, six] = [Family::Ipv4, Family::Ipv6];
    [Table { family: four, name }, Table { family: six, name }]
}

fn commit(nft: &mut Nft, fill: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    fill(&mut batch);
    nft.commit(&batch).unwrap();
}

fn jump(chain: &str) -> Rule {
    Rule::new().verdict(&Verdict::Jump(chain.to_owned()))
}

/// A chain of flannel's between those of others.
fn lay(nft: &mut Nft, table: Table<'_>, base: (&str, Hook), chain: &str, rule: &Rule) {
    commit(nft, |batch| {
        batch.add_table(table);
        batch.add_chain(table, base.0, Some(base.1));
        for other in ["KUBE-FIRST", chain, "KUBE-LAST"] {
            batch.add_chain(table, other, None);
            batch.append_rule(table, base.0, &jump(other));
        }
        batch.append_rule(table, chain, rule);
    });
}

fn lay_all(nft: &mut Nft) {
    let masquerade = Rule::new().with(Expr::Masquerade);
    let accept = Rule::new().verdict(&Verdict::Accept);
    for (nat, filter) in NAT.into_iter().zip(FILTER) {
        let postrouting = ("POSTROUTING", Hook::SOURCE_NAT);
        lay(nft, nat, postrouting, "FLANNEL-POSTRTG", &masquerade);
        let forward = ("FORWARD", Hook::FORWARD);
        lay(nft, filter, forward, "FLANNEL-FWD", &accept);
    }
}

fn targets(nft: &mut Nft, table: Table<'_>, chain: &str) -> Vec<String> {
    let rules = nft.rules(table, Some(chain)).unwrap();
    let target = |rule: &nft::Installed| rule.target().or_else(|| rule.comment.clone());
    rules.iter().filter_map(target).collect()
}

#[test]
fn nothing_left_is_nothing_to_do() {
    let mut nft = isolated();
    assert_eq!(flannel::seen(&mut nft).unwrap(), flannel::Traces::default());
    assert!(flannel::remove(&mut nft).unwrap().is_empty());
}

#[test]
fn the_chains_go_with_their_calls_and_others_stay() {
    let mut nft = isolated();
    lay_all(&mut nft);
    let seen = flannel::seen(&mut nft).unwrap();
    assert!(seen.masquerades && seen.objects.len() == 4, "{seen:?}");
    assert_eq!(flannel::remove(&mut nft).unwrap(), seen.objects);
    for (nat, filter) in NAT.into_iter().zip(FILTER) {
        let others = ["KUBE-FIRST", "KUBE-LAST"];
        assert_eq!(targets(&mut nft, nat, "POSTROUTING"), others);
        assert_eq!(targets(&mut nft, filter, "FORWARD"), others);
        assert!(!nft.has_chain(nat, "FLANNEL-POSTRTG").unwrap());
        assert!(!nft.has_chain(filter, "FLANNEL-FWD").unwrap());
    }
    assert_eq!(flannel::seen(&mut nft).unwrap(), flannel::Traces::default());
}

#[test]
fn its_own_tables_go() {
    let mut nft = isolated();
    let names = ["flannel-ipv4", "flannel-ipv6"];
    for (family, name) in [Family::Ipv4, Family::Ipv6].into_iter().zip(names) {
        let table = Table { family, name };
        commit(&mut nft, |batch| {
            batch.add_table(table);
            batch.add_chain(table, "postrtg", Some(Hook::SOURCE_NAT));
        });
        assert!(!flannel::seen(&mut nft).unwrap().masquerades);
    }
    let (family, name) = (Family::Ipv4, names[0]);
    commit(&mut nft, |batch| {
        let masquerade = Rule::new().with(Expr::Masquerade);
        batch.append_rule(Table { family, name }, "postrtg", &masquerade);
    });
    assert!(flannel::seen(&mut nft).unwrap().masquerades);
    let removed = flannel::remove(&mut nft).unwrap();
    assert_eq!(removed, ["table ip flannel-ipv4", "table ip6 flannel-ipv6"]);
    assert!(flannel::seen(&mut nft).unwrap().objects.is_empty());
}

/// Where flannel's rules let packets through, ours do before it is asked.
#[test]
fn packets_are_let_through_in_flannels_place() {
    let mut nft = isolated();
    let networks = networks(NETWORKS);
    assert!(forward::missing(&mut nft, &networks).unwrap().is_empty());
    forward::ensure(&mut nft, &networks).unwrap();
    assert!(!nft.has_table(FILTER[0]).unwrap(), "it makes no firewall");
    lay_all(&mut nft);
    assert_eq!(forward::missing(&mut nft, &networks).unwrap().len(), 2);
    forward::ensure(&mut nft, &networks).unwrap();
    let ours = "podwire: pods of the overlay";
    for table in FILTER {
        let rules = targets(&mut nft, table, "FORWARD");
        assert_eq!(
            rules,
            ["KUBE-FIRST", ours, ours, "FLANNEL-FWD", "KUBE-LAST"]
        );
    }
    flannel::remove(&mut nft).unwrap();
    assert!(forward::missing(&mut nft, &networks).unwrap().is_empty());
    // Half of them gone, and another network.
    let first = nft.rules(FILTER[0], Some("FORWARD")).unwrap()[1].handle;
    commit(&mut nft, |batch| {
        batch.delete_rule(FILTER[0], "FORWARD", first)
    });
    assert_eq!(forward::missing(&mut nft, &networks).unwrap().len(), 1);
    let others = crate::lab::networks(["10.0.0.0/9", "fd00::/16"]);
    for wish in [&networks, &others] {
        forward::ensure(&mut nft, wish).unwrap();
        assert!(forward::missing(&mut nft, wish).unwrap().is_empty());
        assert_eq!(targets(&mut nft, FILTER[0], "FORWARD").len(), 4);
    }
    forward::remove(&mut nft).unwrap();
    for table in FILTER {
        let rules = targets(&mut nft, table, "FORWARD");
        assert_eq!(rules, ["KUBE-FIRST", "KUBE-LAST"]);
    }
    forward::ensure(&mut nft, &networks).unwrap();
    assert_eq!(
        targets(&mut nft, FILTER[0], "FORWARD").len(),
        2,
        "it lets all through"
    );
}

/// iptables puts the comments of what it restores elsewhere.
#[test]
fn rules_that_iptables_has_restored_are_known_again() {
    let mut nft = isolated();
    let networks = networks(NETWORKS);
    lay_all(&mut nft);
    forward::ensure(&mut nft, &networks).unwrap();
    flannel::remove(&mut nft).unwrap();
    for program in ["iptables-nft", "ip6tables-nft"] {
        let command = format!("{program}-save -t filter | {program}-restore");
        let restored = Command::new("sh").args(["-c", &command]).status();
        assert!(restored.unwrap().success());
    }
    assert_eq!(forward::missing(&mut nft, &networks).unwrap().len(), 2);
    forward::ensure(&mut nft, &networks).unwrap();
    assert!(forward::missing(&mut nft, &networks).unwrap().is_empty());
    for table in FILTER {
        assert_eq!(nft.rules(table, Some("FORWARD")).unwrap().len(), 4);
    }
    forward::remove(&mut nft).unwrap();
    for table in FILTER {
        assert_eq!(nft.rules(table, Some("FORWARD")).unwrap().len(), 2);
    }
}
