// SPDX-License-Identifier: Apache-2.0
//! The node's allowlist of sysctls: held against the keys as the reference plugin does it.

use serde_json::json;

use crate::Site;

const FILE: &str = "/etc/cni/tuning/allowlist.conf";

#[test]
fn keys_are_allowed_and_refused_as_the_reference_plugin_does() {
    let site = Site::new();
    site.bench.node.empty_etc();
    let conf = |key: &str| json!({"sysctl": {key: "1"}});
    let (own, eth0) = (
        "net.ipv4.conf.IFNAME.arp_filter",
        "net.ipv4.conf.eth0.arp_filter",
    );
    for (list, key, allowed) in [
        (None, own, true),
        (Some(""), own, false),
        (Some("\n \n"), own, false),
        (Some("^net\\.ipv4\\.conf\\.IFNAME\\.[a-z_]*$\n"), own, true),
        (
            Some("^net\\.ipv4\\.conf\\.IFNAME\\.[a-z_]*$\n"),
            eth0,
            false,
        ),
        (Some("somaxconn\n  arp_filter  \n"), eth0, true),
        (Some("^net\\.core\\."), own, false),
        (Some("(?i)ARP_(filter|ignore)"), own, true),
        (Some("arp_filter\n[a-"), own, true),
        (Some("[a-\narp_filter"), own, false),
    ] {
        if let Some(list) = list {
            site.bench.node.write(FILE, list);
        }
        for call in [site.call("ADD", &conf(key)), site.go("ADD", &conf(key))] {
            let outcome = call.run(&site.bench.node);
            assert_eq!(outcome.success(), allowed, "{list:?} {key}: {outcome}");
        }
        let status = site.call("STATUS", &conf(key)).run(&site.bench.node);
        assert_eq!(status.success(), allowed, "{list:?} {key}: {status}");
        site.done("DEL", &conf(key));
        // Who sets none is not concerned.
        site.add(&json!({}));
        site.add(&json!({"mtu": 1400}));
        site.done("DEL", &json!({}));
    }
}

#[test]
fn a_refusal_names_the_key_and_what_is_allowed() {
    let site = Site::new();
    site.bench.node.empty_etc();
    site.bench.node.write(FILE, "z\nb c\n");
    let call = site.call("ADD", &json!({"sysctl": {"net.core.somaxconn": "777"}}));
    let refused = "Sysctl net.core.somaxconn is not allowed";
    site.bench
        .assert_refuses(&call, 7, &[refused, "sysctls are allowed: [z b c]", FILE]);
    site.bench.node.write(FILE, "[a-");
    let call = site.call("ADD", &json!({"sysctl": {"net.ipv4.ip_forward": "1"}}));
    site.bench
        .assert_refuses(&call, 7, &[FILE, "\"[a-\" is no regular expression"]);
}
