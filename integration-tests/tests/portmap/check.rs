// SPDX-License-Identifier: Apache-2.0
//! CHECK tells what somebody has changed of a pod's ports, and ADD makes it right again.

use std::net::SocketAddr;

use integration_tests::{Outside, ask_tcp};
use serde_json::json;

use crate::site::{NODE, Site, both, network, port, seen_at, set_route_localnet};

/// What nft does to the rules, and the words of CHECK for it.
const DAMAGES: [(&str, &str); 6] = [
    (
        "delete element inet podwire hostport4-any { tcp . 8080 }",
        "map hostport4-any of table inet podwire does not lead 0.0.0.0:8080/tcp",
    ),
    (
        "delete element inet podwire hostport6-any-to { udp . 8080 }",
        "map hostport6-any-to of table inet podwire does not lead [::]:8080/udp",
    ),
    (
        "flush chain inet podwire hostport-prerouting",
        "chain hostport-prerouting of table inet podwire does not hold its rules",
    ),
    (
        "flush chain inet podwire hostport/podnet/dnat",
        "chain hostport/podnet/dnat of table inet podwire does not",
    ),
    (
        "flush chain inet podwire hostport-postrouting",
        "chain hostport-postrouting of table inet podwire lacks",
    ),
    ("delete table inet podwire", "does not hold"),
];

#[test]
fn what_is_missing_is_told_and_made_again() {
    for (command, words) in DAMAGES {
        told_and_made_again(|site| drop(site.node.tool("nft", command)), words);
    }
    told_and_made_again(
        |site| set_route_localnet(&site.node, "cni0", false),
        "net/ipv4/conf/cni0/route_localnet is 0",
    );
}

fn told_and_made_again(damage: impl FnOnce(&Site), words: &str) {
    let network = network(both(8080));
    let site = Site::new();
    let pod = site.bare(&network);
    let _servers = crate::site::serve(&pod);
    assert!(
        site.portmap("ADD", &network, &pod)
            .run(&site.node)
            .success()
    );
    let check = || site.portmap("CHECK", &network, &pod).run(&site.node);
    check().assert_silent();
    damage(&site);
    check().assert_refused(105, &[words]);
    assert!(
        site.portmap("ADD", &network, &pod)
            .run(&site.node)
            .success()
    );
    check().assert_silent();
    assert_eq!(seen_at(&site.outside, NODE[0], 8080), Outside::V4);
    assert_eq!(seen_at(&pod, NODE[0], 8080), site.node.ipv4("cni0"));
    site.portmap("DEL", &network, &pod)
        .run(&site.node)
        .assert_silent();
    assert_eq!(site.ports(), [""; 0], "{words}");
}

#[test]
fn a_pod_that_lost_its_address_is_told() {
    let site = Site::new();
    let network = network(both(8080));
    let pod = site.runner.attach(&network, &site.node);
    site.runner.check(&network, &pod, "eth0").unwrap();
    let address = pod.ipv4("eth0");
    site.portmap("CHECK", &network, &pod);
    pod.ip(&format!("address del {address}/24 dev eth0"));
    let failure = site.runner.check(&network, &pod, "eth0").unwrap_err();
    assert_eq!(failure.error().0, 105, "{failure}");
}

/// What somebody took away may be all by which the rest is found.
#[test]
fn del_takes_what_is_left_of_a_flushed_table() {
    for flush in [
        "flush table inet podwire",
        "flush chain inet podwire hostport/podnet",
        "flush map inet podwire hostport4-any-to",
        "flush ruleset",
    ] {
        let site = Site::new();
        let network = network(json!([port(8080, "tcp")]));
        let pod = site.runner.attach(&network, &site.node);
        site.node.tool("nft", flush);
        site.runner.del(&network, &pod, "eth0").unwrap();
        assert_eq!(site.ports(), [""; 0], "{flush}");
    }
}

/// An operator's `nft list ruleset` is to be fit for `/etc/nftables.conf`.
#[test]
fn what_nft_saved_and_restored_is_what_it_was() {
    let site = Site::new();
    let conditions = [
        "ip saddr != { 10.77.0.0/16, 10.78.0.0/15, 10.80.0.1 }",
        "ip daddr 192.0.2.0/24",
        "tcp dport != 5-9",
        "ct state { established, new }",
        "meta mark != 7",
        "fib saddr type != local",
        "iifname != eth7",
    ];
    let network = network(json!([port(8080, "tcp")])).with_at(
        1,
        &json!({"conditionsV4": conditions, "conditionsV6": ["ip6 saddr != fd00:77::/32"]}),
    );
    let (pod, _servers) = site.server(&network);
    let saved = site.node.tool("nft", "list ruleset");
    let file = "/run/lab/saved";
    site.node.write(file, format!("flush ruleset\n{saved}"));
    site.node.tool("nft", &format!("-f {file}"));
    site.runner.check(&network, &pod, "eth0").unwrap();
    let server = SocketAddr::new(NODE[0], 8080);
    assert_eq!(ask_tcp(&site.outside, server).unwrap().ip(), Outside::V4);
    site.runner.del(&network, &pod, "eth0").unwrap();
    assert_eq!(site.ports(), [""; 0]);
}
