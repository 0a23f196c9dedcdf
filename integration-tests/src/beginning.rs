// SPDX-License-Identifier: Apache-2.0
//! What most tests begin with: a network of the usual shape, and pods attached to it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::network::Network;
use crate::node::Node;
use crate::pod::Pod;
use crate::runner::Runner;

/// How long a test waits for what must come. It comes at once; the rest is for a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// How long a test waits for what must not come.
pub const BRIEFLY: Duration = Duration::from_millis(300);

impl Network {
    /// A network of the plugin `bridge` alone: a gateway, addresses by `host-local` from
    /// `subnets`, and a default route for each family. `keys` go over the plugin's.
    ///
    /// # Panics
    /// When `keys` is not an object.
    pub fn of_bridge(name: &str, subnets: &[&str], keys: Value) -> Self {
        let ranges: Vec<_> = subnets
            .iter()
            .map(|subnet| json!([{ "subnet": subnet }]))
            .collect();
        let routes: Vec<_> = [(":", "::/0"), (".", "0.0.0.0/0")]
            .iter()
            .filter(|(sign, _)| subnets.iter().any(|subnet| subnet.contains(sign)))
            .map(|(_, all)| json!({ "dst": all }))
            .collect();
        let mut plugin = json!({
            "cniVersion": "1.1.0",
            "name": name,
            "type": "bridge",
            "isGateway": true,
            "ipam": {"type": "host-local", "ranges": ranges, "routes": routes},
        });
        for (key, value) in keys.as_object().expect("keys are an object") {
            plugin[key] = value.clone();
        }
        Self::new(plugin)
    }

    /// As [`Network::of_bridge`], without addresses, gateway or routes: layer 2 only.
    ///
    /// # Panics
    /// When `keys` is not an object.
    pub fn of_layer2(name: &str, keys: Value) -> Self {
        let mut all = json!({"isGateway": false, "ipam": {}});
        for (key, value) in keys.as_object().expect("keys are an object") {
            all[key] = value.clone();
        }
        Self::of_bridge(name, &[], all)
    }
}

impl Runner {
    /// A new pod of `node`, attached to a network by `eth0`.
    ///
    /// # Panics
    /// When it can't be attached.
    pub fn attach(&self, network: &Network, node: &Node) -> Pod {
        let pod = node.any_pod();
        self.add(network, &pod, "eth0")
            .unwrap_or_else(|failure| panic!("{failure}"));
        pod
    }
}
