// SPDX-License-Identifier: Apache-2.0
//! CHECK names each difference, and leaves later plugins their word.

use serde_json::json;

use crate::{Site, everything};

#[test]
fn each_damage_is_named() {
    let site = Site::new();
    let mut keys = everything();
    keys["sysctl"] = json!({"net.core.somaxconn": "777", "net.ipv4.conf.IFNAME.arp_filter": "1"});
    keys["prevResult"] = site.add(&keys);
    site.done("CHECK", &keys);
    let check = || site.call("CHECK", &keys).run(&site.bench.node);
    for (damage, repair, words) in [
        (
            "link set eth0 address 02:00:00:00:00:01",
            "link set eth0 address 02:00:00:00:00:77",
            "\"eth0\" has MAC address 02:00:00:00:00:01, not MAC address 02:00:00:00:00:77",
        ),
        (
            "link set eth0 mtu 1300",
            "link set eth0 mtu 1400",
            "has MTU 1300, not MTU 1400",
        ),
        (
            "link set eth0 promisc off",
            "link set eth0 promisc on",
            "has promiscuous mode off, not promiscuous mode on",
        ),
        (
            "link set eth0 allmulticast off",
            "link set eth0 allmulticast on",
            "has all-multicast mode off",
        ),
        (
            "link set eth0 txqueuelen 5",
            "link set eth0 txqueuelen 77",
            "has transmit queue length 5, not transmit queue length 77",
        ),
    ] {
        site.pod.ip(damage);
        check().assert_refused(105, &[words]);
        site.pod.ip(repair);
        check().assert_silent();
    }
    let write = |path: &'static str| site.pod.run(|| net::sysctl::ensure(path, "0")).unwrap();
    write("net/ipv4/conf/eth0/arp_filter");
    site.pod.ip("link set eth0 mtu 1300");
    let both = [
        "sysctl net/ipv4/conf/eth0/arp_filter is \"0\", not \"1\"",
        "has MTU 1300",
    ];
    check().assert_refused(105, &both);
    site.pod.ip("link set eth0 down");
    site.pod.ip("link set eth0 name eth9");
    check().assert_refused(
        105,
        &["the sandbox has no interface \"eth0\"", "has no sysctl"],
    );
}

#[test]
fn what_a_later_plugin_has_changed_and_reported_is_right() {
    let site = Site::new();
    let mut keys = everything();
    let mut result = site.add(&keys);
    site.pod
        .ip("link set eth0 mtu 1300 address 02:00:00:00:00:99");
    keys["prevResult"] = result.clone();
    site.call("CHECK", &keys)
        .run(&site.bench.node)
        .assert_refused(105, &["MTU 1300"]);
    result["interfaces"][2]["mtu"] = json!(1300);
    result["interfaces"][2]["mac"] = json!("02:00:00:00:00:99");
    keys["prevResult"] = result;
    site.done("CHECK", &keys);
}

/// Somebody who captures packets in a pod does it no damage.
#[test]
fn modes_that_nobody_has_asked_for_may_be_anything() {
    let site = Site::new();
    let keys = json!({"mtu": 1400, "promisc": false});
    site.add(&keys);
    site.pod.ip("link set eth0 promisc on allmulticast on");
    let mut keys = keys;
    keys["prevResult"] = json!(null);
    let check = site.call("CHECK", &keys).run(&site.bench.node);
    check.assert_refused(7, &["Required prevResult missing"]);
    keys["prevResult"] = site.result.clone();
    keys["prevResult"]["interfaces"][2]["mtu"] = json!(1400);
    site.done("CHECK", &keys);
}
