// SPDX-License-Identifier: Apache-2.0
//! Chains of other programs that drop, and that no rule elsewhere can overrule: they are named.

use serde_json::json;

use crate::site::{Site, network};

const CHAIN: &str = "chain forward of table inet site";

fn site_that_drops() -> Site {
    let site = Site::new();
    site.node.tool("nft", "add table inet site");
    site.node.tool(
        "nft",
        "add chain inet site forward { type filter hook forward priority 0; policy drop; }",
    );
    site
}

#[test]
fn a_chain_that_drops_everything_is_named_by_add_check_and_status() {
    let site = site_that_drops();
    let network = network(5, &json!({}));
    let pod = site.node.pod("a");
    let (_, said) = site.runner.add_hearing(&network, &pod, "eth0").unwrap();
    assert!(said.contains(CHAIN), "{said}");
    let failure = site.runner.check(&network, &pod, "eth0").unwrap_err();
    assert_eq!(failure.error().0, 105);
    assert!(failure.error().1.contains(CHAIN), "{failure}");
    let failure = site.runner.status(&network).unwrap_err();
    assert_eq!(failure.error().0, 51);
    assert!(failure.error().1.contains(CHAIN), "{failure}");
}

/// Whether its rules accept the pods' packets, the operator must know.
#[test]
fn a_chain_that_accepts_something_is_named_by_add_alone() {
    let site = site_that_drops();
    site.node
        .tool("nft", "add rule inet site forward iifname cni5 accept");
    let network = network(5, &json!({}));
    let pod = site.node.pod("a");
    let (_, said) = site.runner.add_hearing(&network, &pod, "eth0").unwrap();
    assert!(said.contains(CHAIN), "{said}");
    site.runner.check(&network, &pod, "eth0").unwrap();
    site.runner.status(&network).unwrap();
}

#[test]
fn a_chain_that_accepts_by_policy_is_not_named() {
    let site = Site::new();
    site.drop_forwarded();
    site.node.tool("nft", "add table inet site");
    site.node.tool(
        "nft",
        "add chain inet site forward { type filter hook forward priority 0; }",
    );
    let network = network(5, &json!({}));
    let pod = site.node.pod("a");
    let (_, said) = site.runner.add_hearing(&network, &pod, "eth0").unwrap();
    assert_eq!(said, "");
}
