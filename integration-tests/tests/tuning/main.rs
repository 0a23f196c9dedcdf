// SPDX-License-Identifier: Apache-2.0
//! The plugin `tuning`: what a pod sees of it, and that all of it can be taken back, by this plugin
//! and by the reference plugin of that name.

mod allowlist;
mod damage;
mod guard;
mod interop;
mod keys;
mod refused;
mod restore;
mod rollback;

use std::fs::create_dir_all;

use integration_tests::bench::call;
use integration_tests::{Bench, Execution, Network, Pod, Runner, binaries};
use net::{Link, sysctl};
use serde_json::{Map, Value, json};

/// Where backups are.
const BACKUPS: &str = "/run/cni/tuning";
/// Where that of `eth0` of pod `a` is.
const BACKUP: &str = "/run/cni/tuning/a_eth0.json";

/// A pod `a` of network `pods`, attached, whose interface is to be tuned.
struct Site {
    bench: Bench,
    pod: Pod,
    result: Value,
}

impl Site {
    fn new() -> Self {
        let mut bench = Bench::new();
        let pod = bench.attach("a");
        let result = bench.runner.result(&bench.network, "a", "eth0");
        let result = result.expect("the pod was attached by this runtime");
        let made = bench.node.run(|| create_dir_all(BACKUPS));
        made.expect("the node's /run is its own");
        bench.settle();
        Self { bench, pod, result }
    }

    /// The configuration of `tuning` with these keys, as it comes behind `bridge`.
    fn configuration(&self, keys: &Value) -> Value {
        let mut whole = json!({
            "cniVersion": "1.1.0",
            "name": "pods",
            "type": "tuning",
            "prevResult": self.result,
        });
        for (key, value) in keys.as_object().into_iter().flat_map(Map::iter) {
            whole[key] = value.clone();
        }
        whole
    }

    /// A call of Podwire's plugin.
    fn call(&self, verb: &str, keys: &Value) -> Execution {
        self.bench.call_with(verb, "a", &self.configuration(keys))
    }

    /// A call of the reference plugin.
    fn go(&self, verb: &str, keys: &Value) -> Execution {
        let go = Runner::with_plugins(&self.bench.node, binaries::go_plugins());
        call(&go, &Network::new(self.configuration(keys)), verb, "a")
    }

    /// ADD, which succeeds.
    fn add(&self, keys: &Value) -> Value {
        self.call("ADD", keys).run(&self.bench.node).result()
    }

    /// Any other verb, which succeeds.
    fn done(&self, verb: &str, keys: &Value) {
        self.call(verb, keys).run(&self.bench.node).assert_silent();
    }

    fn link(&self) -> Link {
        self.pod.link("eth0")
    }

    fn sysctl(&self, path: &str) -> String {
        let value = self.pod.run(|| sysctl::read(path));
        value.unwrap_or_else(|error| panic!("{error}"))
    }

    fn has_backup(&self) -> bool {
        !self.bench.node.list(BACKUPS).is_empty()
    }
}

/// All that can be given to an interface.
fn everything() -> Value {
    json!({"mac": "02:00:00:00:00:77", "mtu": 1400, "promisc": true, "allmulti": true, "txQLen": 77})
}

/// [`everything`] of an interface that was as `before`.
fn tuned(before: &Link) -> Link {
    Link {
        mac: "02:00:00:00:00:77".parse().expect("a MAC address"),
        mtu: 1400,
        promisc: true,
        allmulti: true,
        tx_queue_len: 77,
        ..before.clone()
    }
}
