// SPDX-License-Identifier: Apache-2.0
//! Whole chains of plugins, many at once.

use std::sync::Mutex;
use std::thread;

use integration_tests::{Network, State};
use serde_json::json;

use crate::site::{Site, both, network, of_bridge};

const RUNTIMES: u16 = 16;
const PODS: u16 = 8;
/// The first of their ports.
const FIRST: u16 = 9000;

/// The whole chain, with a port of its own.
fn chain(port: u16) -> Network {
    let (base, policy) = match port % 2 {
        0 => (network(both(port)), "isolated"),
        _ => (of_bridge("other", "cni1", 89, both(port)), "same-bridge"),
    };
    let limits = json!({"type": "bandwidth", "egressRate": 1_000_000, "egressBurst": 1_000_000});
    base.followed_by(json!({"type": "firewall", "ingressPolicy": policy}))
        .followed_by(limits)
        .followed_by(json!({"type": "tuning", "mtu": 1400}))
}

/// Runs this for each of many pods, of which several are at once.
fn for_all(run: impl Fn(u16) + Sync) {
    thread::scope(|scope| {
        for runtime in 0..RUNTIMES {
            let run = &run;
            scope.spawn(move || (0..PODS).for_each(|pod| run(runtime * PODS + pod)));
        }
    });
}

/// As a runtime that has lost everything but the names.
fn detach(site: &Site, number: u16) {
    let (network, name) = (chain(FIRST + number), format!("pod-{number}"));
    site.runner.forget(&network, &name, "eth0");
    let deleted = site.runner.del_with(&network, &name, "", "eth0");
    deleted.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn of_a_storm_of_whole_chains_nothing_is_lost_or_left() {
    let site = Site::new();
    for program in ["iptables", "ip6tables"] {
        site.node.tool(program, "-P FORWARD DROP");
    }
    let keepers = [8000, 8001].map(|port| (port, site.runner.attach(&chain(port), &site.node)));
    let assert_kept = || {
        for (port, pod) in &keepers {
            let checked = site.runner.check(&chain(*port), pod, "eth0");
            checked.unwrap_or_else(|failure| panic!("{failure}"));
        }
    };
    let before = State::of(&site.node);
    let pods = Mutex::new(Vec::new());
    for_all(|number| {
        let pod = site.node.pod(&format!("pod-{number}"));
        let added = site.runner.add(&chain(FIRST + number), &pod, "eth0");
        added.unwrap_or_else(|failure| panic!("{failure}"));
        // While others come, some go.
        if number % 4 == 3 {
            detach(&site, number);
        } else {
            pods.lock().unwrap().push((number, pod));
        }
    });
    assert_kept();
    let pods = pods.into_inner().unwrap();
    let count = |set: &str, sign: &str| {
        let listed = site.node.tool("nft", &format!("list {set}"));
        listed.matches(sign).count()
    };
    let all = pods.len() + keepers.len();
    assert_eq!(count("set inet podwire ingress-pods", "veth"), all);
    let ports = count("map inet podwire hostport4-any-to", " comment ");
    assert_eq!(ports, all * 2);
    for_all(|number| detach(&site, number));
    before.assert_nothing_left(&site.node, &["last_reserved"]);
    assert_kept();
}
