// SPDX-License-Identifier: Apache-2.0
//! What each key does, as the pod sees it, and what the result says of it.

use integration_tests::{Bench, Network, PATIENCE, Runner, ping};
use serde_json::{Value, json};

use crate::{Site, everything, tuned};

const VERSIONS: [&str; 7] = [
    "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0",
];

/// The network of a bench with `tuning` behind `bridge`, in a version of the protocol.
fn chain(bench: &Bench, version: &str, keys: &Value) -> Network {
    let mut tuning = json!({"type": "tuning", "capabilities": {"mac": true}});
    for (key, value) in keys.as_object().expect("keys are an object") {
        tuning[key] = value.clone();
    }
    let chain = bench.network.followed_by(tuning);
    let mut whole: Value = serde_json::from_str(&chain.text()).expect("a conflist is JSON");
    whole["cniVersion"] = json!(version);
    Network::new(whole)
}

#[test]
fn an_interface_gets_what_it_is_to_have_and_the_pod_can_use_it() {
    let bench = Bench::new();
    for (version, host) in VERSIONS.into_iter().zip(70..) {
        let pod = bench.node.pod("a");
        let runner =
            Runner::new(&bench.node).with_args(&format!("IgnoreUnknown=1;IP=10.1.5.{host}"));
        let network = chain(&bench, version, &everything());
        let result = runner
            .add(&network, &pod, "eth0")
            .unwrap_or_else(|it| panic!("{it}"));
        let link = pod.link("eth0");
        assert_eq!(link, tuned(&link), "{version}");
        assert!(ping(&pod, bench.keeper.ipv4("eth0"), PATIENCE), "{version}");
        assert!(ping(&bench.keeper, pod.ipv4("eth0"), PATIENCE), "{version}");
        if version >= "0.3.0" {
            let interface = &result["interfaces"][2];
            assert_eq!(interface["name"], "eth0");
            assert_eq!(interface["mac"], "02:00:00:00:00:77");
            let mtu = if version >= "1.1.0" {
                json!(1400)
            } else {
                Value::Null
            };
            assert_eq!(interface["mtu"], mtu);
        }
        if version >= "0.4.0" {
            runner
                .check(&network, &pod, "eth0")
                .unwrap_or_else(|it| panic!("{it}"));
        }
        if version >= "1.1.0" {
            runner.status(&network).unwrap_or_else(|it| panic!("{it}"));
        }
        for _ in ["once", "twice"] {
            runner
                .del(&network, &pod, "eth0")
                .unwrap_or_else(|it| panic!("{it}"));
        }
        let left = bench.differences();
        assert_eq!(
            left,
            ["+ directory /run/cni", "+ directory /run/cni/tuning"]
        );
    }
}

#[test]
fn everything_else_of_the_result_is_as_it_was() {
    let site = Site::new();
    let mut expected = site.result.clone();
    expected["interfaces"][2]["mac"] = json!("02:00:00:00:00:77");
    expected["interfaces"][2]["mtu"] = json!(1400);
    assert_eq!(site.add(&everything()), expected);
    let sysctls = json!({"sysctl": {"net.core.somaxconn": "777"}});
    assert_eq!(site.add(&sysctls), site.result);
}

#[test]
fn each_setting_leaves_all_others_alone() {
    let site = Site::new();
    let before = site.link();
    for (key, value) in everything().as_object().unwrap() {
        let result = site.add(&json!({ key: value }));
        let one = tuned(&before);
        let link = site.link();
        let changed = [
            link.mac != before.mac,
            link.mtu != before.mtu,
            link.promisc,
            link.allmulti,
            link.tx_queue_len == one.tx_queue_len,
        ];
        assert_eq!(changed.iter().filter(|it| **it).count(), 1, "{key}");
        site.done("CHECK", &json!({ key: value, "prevResult": result }));
        site.done("DEL", &json!({}));
        assert_eq!(site.link(), before, "{key}");
    }
}

#[test]
fn modes_are_set_off_only_where_the_reference_plugin_does_so() {
    let site = Site::new();
    site.pod.ip("link set eth0 promisc on allmulticast on");
    site.add(&json!({"promisc": false, "allmulti": false}));
    let link = site.link();
    assert_eq!((link.promisc, link.allmulti), (true, false));
    site.done("CHECK", &json!({"promisc": false, "allmulti": false}));
    site.done("DEL", &json!({}));
    assert!(site.link().allmulti);
}

#[test]
fn the_mac_address_is_that_of_the_first_source() {
    let site = Site::new();
    let own = json!({"mac": "02:00:00:00:00:01"});
    let runtime =
        json!({"mac": "02:00:00:00:00:01", "runtimeConfig": {"mac": "02:00:00:00:00:03"}});
    let mut cni = runtime.clone();
    cni["args"] = json!({"cni": {"mac": "02:00:00:00:00:04"}});
    for (keys, args, last) in [
        (&own, "", 1),
        (
            &own,
            "IgnoreUnknown=1;K8S_POD_NAME=a;MAC=02:00:00:00:00:02",
            2,
        ),
        (&runtime, "MAC=02:00:00:00:00:02", 3),
        (&cni, "MAC=02:00:00:00:00:02", 4),
    ] {
        for call in [site.call("ADD", keys), site.go("ADD", keys)] {
            let result = call.env("CNI_ARGS", args).run(&site.bench.node).result();
            assert_eq!(site.link().mac.octets()[5], last);
            let mac = format!("02:00:00:00:00:0{last}");
            assert_eq!(result["interfaces"][2]["mac"], mac);
            site.done("DEL", keys);
        }
    }
}

#[test]
fn sysctls_are_those_of_the_sandbox_and_of_its_interface() {
    let site = Site::new();
    let keys = json!({
        "sysctl": {
            "net.core.somaxconn": "777",
            "net/ipv4/conf/IFNAME/arp_filter": "1",
            "net.ipv4.conf.lo.arp_filter": "1",
            "net.ipv4.ip_local_reserved_ports": "8080,8081",
            "net.ipv4.tcp_rmem": "4096 87380 6000000",
            // It can't be read before it is written.
            "net.ipv6.conf.IFNAME.stable_secret": "fd00::1",
        },
        "args": {"cni": {"sysctl": {"net/core/somaxconn": "778"}}},
    });
    site.add(&keys);
    assert_eq!(site.sysctl("net/core/somaxconn"), "778");
    assert_eq!(site.sysctl("net/ipv4/conf/eth0/arp_filter"), "1");
    assert_eq!(site.sysctl("net/ipv4/conf/lo/arp_filter"), "1");
    assert_eq!(site.sysctl("net/ipv4/ip_local_reserved_ports"), "8080-8081");
    site.done("CHECK", &keys);
    site.done("DEL", &keys);
    // There is no backup of them, as there is none of the reference plugin's.
    assert_eq!(site.sysctl("net/core/somaxconn"), "778");
    site.bench.assert_clean();
}

#[test]
fn an_interface_may_have_a_dot_in_its_name() {
    let site = Site::new();
    site.pod.ip("link add eth0.100 type veth peer name other");
    let mut result = site.result.clone();
    result["interfaces"][2]["name"] = json!("eth0.100");
    let names = [
        "net.ipv4.conf.IFNAME.arp_filter",
        "net/ipv4/conf/eth0.100/arp_ignore",
        "net.ipv4.conf.eth0/100.arp_announce",
    ];
    let sysctl: Value = names
        .map(|name| (name.to_owned(), json!("1")))
        .into_iter()
        .collect();
    let call = site.call("ADD", &json!({"sysctl": sysctl, "prevResult": result}));
    call.env("CNI_IFNAME", "eth0.100")
        .run(&site.bench.node)
        .result();
    for name in ["arp_filter", "arp_ignore", "arp_announce"] {
        assert_eq!(site.sysctl(&format!("net/ipv4/conf/eth0.100/{name}")), "1");
    }
}

/// podman and nerdctl put `tuning` into their conflists without a setting.
#[test]
fn without_a_setting_nothing_is_even_opened() {
    let site = Site::new();
    let plugin = integration_tests::binaries::plugins().join("tuning");
    let text = format!("ulimit -n $FILES\nexec {}", plugin.display());
    site.bench.script("tuning", &text);
    for (verb, files) in [("ADD", "3"), ("CHECK", "3"), ("STATUS", "3"), ("DEL", "4")] {
        let run = |keys: &Value| {
            let call = integration_tests::Execution::new("/run/lab/bin/tuning");
            let call = call.stdin(site.configuration(keys).to_string());
            let call = call.env("CNI_COMMAND", verb).env("CNI_CONTAINERID", "a");
            let call = call.env("CNI_NETNS", "/run/netns/a").env("CNI_PATH", "/");
            call.env("CNI_IFNAME", "eth0")
                .env("FILES", files)
                .run(&site.bench.node)
        };
        let outcome = run(&json!({"sysctl": {}, "mac": "", "mtu": 0, "promisc": false}));
        assert!(outcome.success(), "{verb}: {outcome}");
        if verb == "ADD" {
            assert_eq!(outcome.result(), site.result);
            // So few files are too few for anything else.
            assert!(!run(&json!({"mtu": 1400})).success());
        }
    }
    site.bench.assert_clean();
}
