// SPDX-License-Identifier: Apache-2.0
//! The operator's own chain comes first.

use serde_json::json;

use crate::site::{NO, Site, YES, network, reaches};

#[test]
fn a_rule_that_the_operator_adds_takes_effect() {
    let site = Site::new();
    site.drop_forwarded();
    let network = network(5, &json!({}));
    let [a, b] = ["a", "b"].map(|name| site.attach(&network, name));
    site.node
        .tool("iptables", "-A CNI-ADMIN -s 10.1.5.2 -j DROP");
    site.node
        .tool("ip6tables", "-A CNI-ADMIN -s fd00:1:5::2 -j DROP");
    assert_eq!([a.both_addresses()[0].to_string().as_str()], ["10.1.5.2"]);
    assert_eq!(reaches(&site.outside, &a), NO);
    assert_eq!(site.reaches_outside(&b), YES);
    // What would be dropped is let in by it.
    site.iptables("-I CNI-ADMIN -i eth0 -j ACCEPT");
    assert_eq!(reaches(&site.outside, &b), YES);
    site.detach(&network, &a);
    site.runner.gc(&network, &[]).unwrap();
    assert!(site.listed().contains("-A CNI-ADMIN -i eth0 -j ACCEPT"));
}

#[test]
fn rules_that_were_there_before_are_consulted_where_nothing_drops() {
    let site = Site::new();
    for rule in [
        "-N CNI-ADMIN",
        "-A CNI-ADMIN -i eth0 -p tcp -j ACCEPT",
        "-A CNI-ADMIN -i eth0 -j DROP",
    ] {
        site.iptables(rule);
    }
    let pod = site.attach(&network(5, &json!({})), "a");
    assert_eq!(reaches(&site.outside, &pod), NO);
    assert_eq!(reaches(&site.node, &pod), YES);
}

#[test]
fn the_chain_can_have_another_name() {
    let site = Site::new();
    site.drop_forwarded();
    let network = network(5, &json!({"iptablesAdminChainName": "SITE-RULES"}));
    let pod = site.attach(&network, "a");
    assert_eq!(reaches(&site.outside, &pod), NO);
    site.iptables("-A SITE-RULES -i eth0 -j ACCEPT");
    assert_eq!(reaches(&site.outside, &pod), YES);
    assert!(!site.listed().contains("CNI-ADMIN"));
}
