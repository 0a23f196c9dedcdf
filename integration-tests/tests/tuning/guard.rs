// SPDX-License-Identifier: Apache-2.0
//! `tuning` behind a `bridge` that lets a pod send from its own MAC address alone: the address that
//! the chain gives it is that one.

use integration_tests::{BRIEFLY, Bench, Network, PATIENCE, Tap, ping, send_frame};
use net::Mac;
use serde_json::json;

const CHOSEN: &str = "02:00:00:00:00:77";

fn chain(bench: &Bench) -> Network {
    bench
        .network
        .followed_by(json!({"type": "tuning", "mac": CHOSEN}))
}

fn mac(text: &str) -> Mac {
    text.parse().expect("a MAC address")
}

#[test]
fn a_guarded_pod_can_use_the_address_that_it_was_given_and_no_other() {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    let network = chain(&bench);
    let added = bench.runner.add(&network, &pod, "eth0");
    added.unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(pod.link("eth0").mac, mac(CHOSEN));
    for address in bench.keeper.both_addresses() {
        assert!(ping(&pod, address, PATIENCE), "{address}");
    }
    for address in pod.both_addresses() {
        assert!(ping(&bench.keeper, address, PATIENCE), "{address}");
    }
    let tap = Tap::new(&bench.keeper, "eth0");
    let everybody = mac("ff:ff:ff:ff:ff:ff");
    send_frame(&pod, "eth0", mac("02:00:00:00:00:78"), everybody);
    assert!(!tap.sees(mac("02:00:00:00:00:78"), BRIEFLY));
    send_frame(&pod, "eth0", mac(CHOSEN), everybody);
    assert!(tap.sees(mac(CHOSEN), PATIENCE));
    bench
        .runner
        .check(&network, &pod, "eth0")
        .unwrap_or_else(|it| panic!("{it}"));
    bench
        .runner
        .del(&network, &pod, "eth0")
        .unwrap_or_else(|it| panic!("{it}"));
    let left = bench.differences();
    assert_eq!(
        left,
        ["+ directory /run/cni", "+ directory /run/cni/tuning"]
    );
}

#[test]
fn an_add_that_fails_leaves_the_guard_as_it_was() {
    let mut bench = Bench::new();
    let pod = bench.attach("a");
    bench.settle();
    pod.tool("tc", "qdisc replace dev eth0 root pfifo_fast");
    let keys = json!({"type": "tuning", "mac": CHOSEN, "txQLen": 4_294_967_295_u32,
        "dataDir": "/run/lab/backups"});
    let mut whole = bench.configuration();
    for (key, value) in keys.as_object().unwrap() {
        whole[key] = value.clone();
    }
    whole["prevResult"] = bench.runner.result(&bench.network, "a", "eth0").unwrap();
    let call = bench.call_with("ADD", "a", &whole);
    bench.assert_refuses(&call, 100, &["give \"eth0\" MAC address"]);
    assert!(ping(&pod, bench.keeper.ipv4("eth0"), PATIENCE));
}
