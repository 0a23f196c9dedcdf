// SPDX-License-Identifier: Apache-2.0
//! What most tests begin with: a network of the usual shape, pods attached to it, and the question
//! whose address a server sees.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};

use crate::echo::{Echo, ask_tcp, ask_udp};
use crate::network::Network;
use crate::node::Node;
use crate::place::Place;
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
        put_over(&mut plugin, &keys);
        Self::new(plugin)
    }

    /// A network of the plugin `ptp` alone, otherwise as [`Network::of_bridge`].
    ///
    /// # Panics
    /// When `keys` is not an object.
    pub fn of_ptp(name: &str, subnets: &[&str], keys: Value) -> Self {
        let mut all = json!({"type": "ptp"});
        put_over(&mut all, &keys);
        Self::of_bridge(name, subnets, all).with_at(0, &json!({"isGateway": null}))
    }

    /// As [`Network::of_bridge`], without addresses, gateway or routes: layer 2 only.
    ///
    /// # Panics
    /// When `keys` is not an object.
    pub fn of_layer2(name: &str, keys: Value) -> Self {
        let mut all = json!({"isGateway": false, "ipam": {}});
        put_over(&mut all, &keys);
        Self::of_bridge(name, &[], all)
    }

    /// The same network with other values for some of its first plugin's keys.
    ///
    /// # Panics
    /// When `keys` is not an object.
    #[must_use]
    pub fn with(&self, keys: &Value) -> Self {
        let mut list: Value = serde_json::from_str(&self.text()).expect("a conflist is JSON");
        put_over(&mut list["plugins"][0], keys);
        Self::new(list)
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

    /// The name of an attachment's host interface, as the result of its ADD reports it.
    ///
    /// # Panics
    /// When this runtime made no such attachment.
    pub fn port(&self, network: &Network, pod: &Pod) -> String {
        let result = self.result(network, pod.name(), "eth0");
        let result = result.expect("the pod was attached by this runtime");
        let interfaces = result["interfaces"].as_array().into_iter().flatten();
        let mut of_host = interfaces.filter(|interface| interface["sandbox"].is_null());
        // The bridge comes first, where there is one.
        let port = of_host.find_map(|it| it["name"].as_str().filter(|it| it.starts_with("veth")));
        port.expect("an attachment has a host interface").to_owned()
    }
}

impl Place {
    /// The addresses of `eth0` but the link-local ones, IPv4 first.
    ///
    /// # Panics
    /// When there is no such interface.
    pub fn all_addresses(&self) -> Vec<IpAddr> {
        let networks = self.addresses("eth0");
        networks.iter().map(|network| network.ip()).collect()
    }

    /// The addresses of `eth0`, IPv4 and IPv6.
    ///
    /// # Panics
    /// When one of them is missing.
    pub fn both_addresses(&self) -> [IpAddr; 2] {
        [self.ipv4("eth0"), self.ipv6("eth0")]
    }
}

/// Whose address a server on `address` of `server` sees when `client` asks it, by UDP as by TCP.
///
/// # Panics
/// When there is no answer, or the two differ.
pub fn seen(client: &Place, server: &Place, address: IpAddr) -> IpAddr {
    let server = Echo::start(server, address, 7);
    let [udp, tcp] = [
        ask_udp(client, server.address()),
        ask_tcp(client, server.address()),
    ]
    .map(|seen| seen.unwrap_or_else(|error| panic!("asking {address}: {error}")));
    assert_eq!(udp.ip(), tcp.ip(), "asking {address}");
    udp.ip()
}

fn put_over(plugin: &mut Value, keys: &Value) {
    for (key, value) in keys.as_object().expect("keys are an object") {
        plugin[key] = value.clone();
    }
}
