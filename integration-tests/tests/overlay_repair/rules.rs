// SPDX-License-Identifier: Apache-2.0
//! The ruleset (reference F12: flannel writes it once): flushed, tables, chains, rules and elements
//! deleted, and wrong ones added.

use integration_tests::{Node, Stack};

use crate::lab::{Cluster, add_strangers};

fn heals_after(commands: &[&str]) {
    let cluster = Cluster::new(2, Stack::Dual);
    add_strangers(cluster.node(0));
    cluster.heals(|node| nft(node, commands));
}

fn nft(node: &Node, commands: &[&str]) {
    for command in commands {
        node.tool("nft", command);
    }
}

/// What other programs had in it is theirs to make again.
#[test]
fn flushed() {
    for stack in Stack::ALL {
        let cluster = Cluster::new(2, stack);
        let overlays = |line: &str| {
            let is_ours = ["inet podwire-overlay", "\"shared:overlay "];
            !line.starts_with("nft") || is_ours.iter().any(|words| line.contains(words))
        };
        cluster.heals_to(|node| nft(node, &["flush ruleset"]), overlays);
    }
}

#[test]
fn table_deleted() {
    heals_after(&["delete table inet podwire-overlay"]);
}

#[test]
fn chains_flushed() {
    heals_after(&[
        "flush chain inet podwire-overlay input",
        "flush chain inet podwire-overlay sources",
    ]);
}

#[test]
fn all_rules_flushed() {
    heals_after(&["flush table inet podwire-overlay"]);
}

#[test]
fn elements_deleted() {
    heals_after(&[
        "delete element inet podwire-overlay vteps4 { 192.0.2.12 }",
        "flush set inet podwire-overlay vteps6",
    ]);
}

/// Without it pods see a node's address in the place of each other's.
#[test]
fn exemption_from_masquerade_flushed() {
    let cluster = Cluster::new(2, Stack::Dual);
    // A node's own pods are in the cluster's network, too.
    let overlays = |line: &str| !line.contains("\"comment\":\"pods ");
    cluster.heals_to(
        |node| nft(node, &["flush chain inet podwire exempt"]),
        overlays,
    );
}

/// An address that is let in without being a peer's.
#[test]
fn elements_added() {
    heals_after(&[
        "add element inet podwire-overlay vteps4 { 192.0.2.77 }",
        "add element inet podwire-overlay vteps6 { 2001:db8:1::77 }",
    ]);
}

/// A rule before ours that lets everybody in.
#[test]
fn a_rule_inserted() {
    heals_after(&["insert rule inet podwire-overlay input udp dport 8472 accept"]);
}
