// SPDX-License-Identifier: Apache-2.0
//! Services, and the EndpointSlices that the controller manager would write for them.

use std::net::IpAddr;

use integration_tests::{Member, Pod};
use serde_json::{Value, json};

use crate::kubernetes::Kubernetes;
use crate::objects::named;

/// Where Services are.
const SERVICES: &str = "/api/v1/namespaces/default/services";
/// Where EndpointSlices are.
const SLICES: &str = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";

/// A Service of the namespace `default` with a port for TCP, `http`, and one for UDP, `dns`; pods serve
/// both at [`Service::TARGET`].
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its cluster addresses, one for each family, IPv4 first.
    pub addresses: Vec<IpAddr>,
    /// The NodePorts of `http` and `dns`; none where its type is ClusterIP.
    pub node_ports: Option<[u16; 2]>,
}

impl Service {
    /// The port of `http`.
    pub const HTTP: u16 = 80;
    /// The port of `dns`.
    pub const DNS: u16 = 53;
    /// The pods' port.
    pub const TARGET: u16 = 8080;

    /// Creates one with `keys` over its specification.
    ///
    /// # Panics
    /// When the API server refuses, or `keys` are no object.
    pub fn create(kubernetes: &Kubernetes, name: &str, keys: &Value) -> Self {
        let mut service = named("v1", "Service", name);
        service["spec"] = json!({
            "ipFamilyPolicy": "PreferDualStack",
            "ports": [
                {"name": "http", "protocol": "TCP", "port": Self::HTTP, "targetPort": Self::TARGET},
                {"name": "dns", "protocol": "UDP", "port": Self::DNS, "targetPort": Self::TARGET},
            ],
        });
        for (key, value) in keys.as_object().expect("keys are an object") {
            service["spec"][key] = value.clone();
        }
        Self::of(&kubernetes.create(SERVICES, &service))
    }

    fn of(object: &Value) -> Self {
        let spec = &object["spec"];
        let addresses = spec["clusterIPs"].as_array().expect("it has some");
        let address = |text: &Value| text.as_str()?.parse().ok();
        let port = |index: usize| u16::try_from(spec["ports"][index]["nodePort"].as_u64()?).ok();
        Self {
            name: object["metadata"]["name"]
                .as_str()
                .expect("it has a name")
                .to_owned(),
            addresses: addresses.iter().filter_map(address).collect(),
            node_ports: port(0).zip(port(1)).map(|(http, dns)| [http, dns]),
        }
    }

    /// Makes these its pods, each on the member beside it.
    ///
    /// # Panics
    /// When the API server refuses.
    pub fn serve_by(&self, kubernetes: &Kubernetes, pods: &[(&Member, &Pod)]) {
        for slice in self.slices(pods) {
            kubernetes.create(SLICES, &slice);
        }
    }

    /// Makes these its pods, and no others.
    ///
    /// # Panics
    /// When it had none before, or the API server refuses.
    pub fn serve_by_others(&self, kubernetes: &Kubernetes, pods: &[(&Member, &Pod)]) {
        for slice in self.slices(pods) {
            let name = slice["metadata"]["name"].as_str().expect("it has a name");
            let endpoints = json!({"endpoints": slice["endpoints"]});
            kubernetes.patch(&format!("{SLICES}/{name}"), &endpoints);
        }
    }

    /// One for each family.
    fn slices(&self, pods: &[(&Member, &Pod)]) -> Vec<Value> {
        let slice = |family: &IpAddr| {
            let kind = if family.is_ipv4() { "IPv4" } else { "IPv6" };
            let name = format!("{}-{}", self.name, kind.to_lowercase());
            let mut slice = named("discovery.k8s.io/v1", "EndpointSlice", &name);
            slice["metadata"]["labels"] = json!({"kubernetes.io/service-name": self.name});
            slice["addressType"] = kind.into();
            slice["ports"] = json!([
                {"name": "http", "protocol": "TCP", "port": Self::TARGET},
                {"name": "dns", "protocol": "UDP", "port": Self::TARGET},
            ]);
            let endpoint = |(member, pod): &(&Member, &Pod)| {
                let addresses = pod.all_addresses();
                let own = addresses.iter().find(|it| it.is_ipv4() == family.is_ipv4());
                json!({
                    "addresses": [own.expect("a pod has both families")],
                    "conditions": {"ready": true, "serving": true, "terminating": false},
                    "nodeName": member.name,
                })
            };
            slice["endpoints"] = pods.iter().map(endpoint).collect();
            slice
        };
        self.addresses.iter().map(slice).collect()
    }
}
