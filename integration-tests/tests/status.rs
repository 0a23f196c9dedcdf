// SPDX-License-Identifier: Apache-2.0
//! STATUS says whether an ADD could succeed, at once and without touching anything.

use std::fs::File;
use std::time::{Duration, Instant};

use integration_tests::{Bench, Execution, Node, Runner, State, bench};
use serde_json::{Value, json};

/// STATUS of network `pods` with a changed configuration.
fn status(bench: &Bench, change: impl FnOnce(&mut Value)) -> Execution {
    let mut configuration = bench.configuration();
    change(&mut configuration);
    bench.call("STATUS", "").stdin(configuration.to_string())
}

#[test]
fn a_fresh_node_is_ready_and_stays_fresh() {
    let node = Node::new();
    let runner = Runner::new(&node);
    let network = bench::network("pods", "cni0", &["10.1.5.0/24"]);
    let before = State::of(&node);
    runner.status(&network).unwrap();
    before.assert_nothing_left(&node, &[]);
    node.install(&network);
    let pod = node.pod("a");
    node.cnitool("status", "pods", &pod, &[]).assert_silent();
}

#[test]
fn a_node_in_use_is_ready() {
    let bench = Bench::new();
    bench.runner.status(&bench.network).unwrap();
    bench.assert_clean();
}

#[test]
fn a_bridge_name_that_is_something_else_is_reported() {
    let bench = Bench::new();
    let call = status(&bench, |conf| conf["bridge"] = json!("eth0"));
    assert_eq!(call.run(&bench.node).error().0, 50);
}

#[test]
fn a_missing_ipam_plugin_is_reported() {
    let bench = Bench::new();
    let call = status(&bench, |_| ()).env("CNI_PATH", "/run/lab/nothing");
    assert_eq!(call.run(&bench.node).error().0, 50);
}

#[test]
fn an_unusable_store_is_reported() {
    let bench = Bench::new();
    bench.node.write("/run/lab/file", "");
    bench.node.tool("mkdir", "/run/lab/sealed");
    bench
        .node
        .tool("mount", "-n --bind /run/lab/sealed /run/lab/sealed");
    bench
        .node
        .tool("mount", "-n -o remount,bind,ro /run/lab/sealed");
    for directory in ["/run/lab/file", "/run/lab/file/below", "/run/lab/sealed"] {
        let call = status(&bench, |conf| conf["ipam"]["dataDir"] = json!(directory));
        let outcome = call.run(&bench.node);
        assert_eq!(outcome.error().0, 50, "{directory}: {outcome}");
    }
}

/// The one address of the range is the keeper's.
fn exhaust(configuration: &mut Value) {
    let only = json!({"subnet": "10.1.5.0/24", "rangeStart": "10.1.5.2", "rangeEnd": "10.1.5.2"});
    configuration["ipam"]["ranges"][0][0] = only;
}

#[test]
fn exhausted_ranges_are_reported_only_where_that_is_wished() {
    let bench = Bench::new();
    status(&bench, exhaust).run(&bench.node).assert_silent();
    let wished = |conf: &mut Value| conf["ipam"]["statusWhenExhausted"] = json!(true);
    status(&bench, wished).run(&bench.node).assert_silent();
    let call = status(&bench, |conf| {
        exhaust(conf);
        wished(conf);
    });
    assert_eq!(call.run(&bench.node).error().0, 50);
    bench
        .runner
        .del(&bench.network, &bench.keeper, "eth0")
        .unwrap();
    call.run(&bench.node).assert_silent();
}

#[test]
fn a_held_lock_keeps_nobody_waiting() {
    let bench = Bench::new();
    let path = "/var/lib/cni/networks/pods/lock";
    let lock = bench.node.run(|| File::open(path)).unwrap();
    lock.lock().unwrap();
    let call = status(&bench, |conf| {
        conf["ipam"]["statusWhenExhausted"] = json!(true);
        conf["ipam"]["lockTimeout"] = json!(60);
    });
    let started = Instant::now();
    call.run(&bench.node).assert_silent();
    assert!(started.elapsed() < Duration::from_secs(30));
}
