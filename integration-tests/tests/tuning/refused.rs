// SPDX-License-Identifier: Apache-2.0
//! Bad input is refused before the first change, with a sentence.

use serde_json::{Value, json};

use crate::Site;

fn assert_refused(site: &Site, keys: &Value, code: u64, words: &[&str]) {
    let before = site.link();
    site.bench
        .assert_refuses(&site.call("ADD", keys), code, words);
    assert_eq!(site.link(), before);
}

#[test]
fn values_that_no_interface_can_have() {
    let site = Site::new();
    for (keys, words) in [
        (json!({"mtu": 67}), "invalid mtu 67"),
        (json!({"mtu": -1}), "invalid mtu -1"),
        (
            json!({"args": {"cni": {"mtu": 65536}}}),
            "invalid mtu 65536",
        ),
        (json!({"txQLen": -1}), "invalid txQLen -1"),
        (
            json!({"mac": "02:00:00:00:00"}),
            "mac: address 02:00:00:00:00: invalid MAC address",
        ),
        (
            json!({"mac": "00:00:00:00:00:00"}),
            "no interface can have a zero",
        ),
        (
            json!({"runtimeConfig": {"mac": "01:00:00:00:00:01"}}),
            "runtimeConfig.mac",
        ),
        (
            json!({"args": {"cni": {"mac": "x"}}}),
            "args.cni.mac: address x",
        ),
    ] {
        assert_refused(&site, &keys, 7, &[words]);
        if keys.get("args").is_none() && keys.get("runtimeConfig").is_none() {
            let status = site.call("STATUS", &keys).run(&site.bench.node);
            status.assert_refused(7, &[words]);
        }
    }
    let call = site.call("ADD", &json!({})).env("CNI_ARGS", "MAC=nonsense");
    site.bench
        .assert_refuses(&call, 4, &["MAC of CNI_ARGS: address nonsense"]);
}

/// The kernel would take IPv6 from the interface, with its addresses, and not bring it back.
#[test]
fn an_mtu_that_ends_ipv6_of_an_interface_that_has_it() {
    let site = Site::new();
    let addresses = site.pod.both_addresses();
    assert_refused(&site, &json!({"mtu": 1279}), 7, &["mtu 1279", "1280"]);
    assert_eq!(site.pod.both_addresses(), addresses);
    let mut alone = site.result.clone();
    alone["ips"] = json!([alone["ips"][0]]);
    site.add(&json!({"mtu": 1279, "prevResult": alone}));
}

#[test]
fn sysctls_that_are_not_this_attachments() {
    let site = Site::new();
    site.pod.ip("link add net1 type veth peer name other");
    let outside = "invalid net sysctl key";
    for (key, words) in [
        ("kernel.shmmax", outside),
        ("kernel/shmmax", outside),
        ("net/../kernel/shmmax", outside),
        ("net/ipv4/../../kernel/shmmax", outside),
        ("net./.kernel.shmmax", outside),
        ("", outside),
        ("net.ipv4.conf.net1.forwarding", "is of interface \"net1\""),
        ("net/ipv6/conf/net1/forwarding", "is of interface \"net1\""),
        (
            "net.ipv4.neigh.net1.gc_stale_time",
            "is of interface \"net1\"",
        ),
        (
            "net.ipv4.conf.nowhere.forwarding",
            "is of interface \"nowhere\"",
        ),
        (
            "net.ipv4.no_such_thing",
            "sysctl net/ipv4/no_such_thing: the sandbox has none such",
        ),
        ("net.ipv4", "net/ipv4"),
    ] {
        let keys = json!({"mtu": 1400, "sysctl": {"net.core.somaxconn": "777", key: "1"}});
        let code = if key == "net.ipv4" { 100 } else { 7 };
        assert_refused(&site, &keys, code, &[words]);
        assert_ne!(site.sysctl("net/core/somaxconn"), "777");
    }
}

#[test]
fn sysctls_of_an_interface_that_is_not_there() {
    let site = Site::new();
    let sysctl = json!({"net.ipv4.conf.IFNAME.forwarding": "1"});
    let call = site
        .call("ADD", &json!({"sysctl": sysctl}))
        .env("CNI_IFNAME", "eth7");
    let words = ["sysctl net/ipv4/conf/eth7/forwarding: the sandbox has no interface \"eth7\""];
    site.bench.assert_refuses(&call, 7, &words);
}

#[test]
fn sysctls_that_are_given_twice() {
    let site = Site::new();
    let both = json!({"sysctl": {"net.core.somaxconn": "1", "net/core/somaxconn": "2"}});
    assert_refused(
        &site,
        &both,
        7,
        &["sysctl net/core/somaxconn is given twice"],
    );
    let whole = site.configuration(&json!({"sysctl": {"net.core.somaxconn": "1"}}));
    let one = r#""net.core.somaxconn":"1""#;
    let text = whole.to_string().replace(one, &format!("{one},{one}"));
    let words = ["duplicated sysctl keys are not allowed"];
    for call in [site.call("ADD", &json!({})), site.go("ADD", &json!({}))] {
        let outcome = call.stdin(text.clone()).run(&site.bench.node);
        assert!(outcome.error().1.contains(words[0]), "{outcome}");
    }
}

#[test]
fn an_attachment_that_is_not_there() {
    let site = Site::new();
    let keys = json!({"mtu": 1400});
    let call = site.call("ADD", &keys).env("CNI_IFNAME", "eth7");
    site.bench
        .assert_refuses(&call, 7, &["the sandbox has no interface \"eth7\""]);
    for netns in ["/run/netns/gone", "/run/lab"] {
        let call = site.call("ADD", &keys).env("CNI_NETNS", netns);
        site.bench
            .assert_refuses(&call, 8, &["failed to open netns"]);
    }
    for keys in [
        json!({"prevResult": null}),
        json!({"mtu": 1400, "prevResult": null}),
    ] {
        for verb in ["ADD", "CHECK"] {
            let call = site.call(verb, &keys);
            site.bench
                .assert_refuses(&call, 7, &["Required prevResult missing"]);
        }
    }
}
