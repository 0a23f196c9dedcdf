// SPDX-License-Identifier: Apache-2.0
//! What a kubelet asks of the runtime for a pod.

use std::net::IpAddr;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::Containerd;
use crate::image::{IMAGE, SERVER};

/// A pod as a kubelet describes it to the runtime.
#[derive(Clone, Debug)]
pub struct PodConfig(Value);

impl PodConfig {
    /// A pod of this name in the namespace `default`.
    pub fn new(name: &str) -> Self {
        Self(json!({
            "metadata": {"name": name, "uid": format!("uid-of-{name}"), "namespace": "default"},
            "hostname": name,
            "log_directory": "/run/lab/logs",
            "linux": {"security_context": {"namespace_options": {"pid": "CONTAINER"}}},
        }))
    }

    /// Maps a port of the node, by `protocol` (`TCP`, `UDP`, `SCTP`), to one of the pod.
    #[must_use]
    pub fn with_port(mut self, protocol: &str, node: u16, pod: u16) -> Self {
        let mapping = json!({"protocol": protocol, "host_port": node, "container_port": pod});
        match &mut self.0["port_mappings"] {
            Value::Array(mappings) => mappings.push(mapping),
            none => *none = json!([mapping]),
        }
        self
    }

    /// As [`PodConfig::with_port`] for TCP, on one of the node's addresses.
    #[must_use]
    pub fn with_port_on(self, address: IpAddr, node: u16, pod: u16) -> Self {
        let mut config = self.with_port("TCP", node, pod);
        let mappings = config.0["port_mappings"].as_array_mut();
        let last = mappings.and_then(|mappings| mappings.last_mut());
        last.expect("one has been added")["host_ip"] = address.to_string().into();
        config
    }

    /// Gives the sandbox an annotation.
    #[must_use]
    pub fn with_annotation(mut self, key: &str, value: &str) -> Self {
        self.0["annotations"][key] = value.into();
        self
    }
}

impl Containerd {
    /// RunPodSandbox: its ID.
    ///
    /// # Errors
    /// What the runtime answered instead.
    pub fn run(&self, pod: &PodConfig) -> Result<String, String> {
        let request = json!({"config": self.whole(pod)});
        let answer = self.call("RuntimeService/RunPodSandbox", &request)?;
        Ok(text(&answer["podSandboxId"]))
    }

    /// Runs a pod whose container serves HTTP on port 80; the sandbox's ID.
    ///
    /// # Panics
    /// When it can't be run.
    pub fn run_server(&self, pod: &PodConfig) -> String {
        let sandbox = self.run(pod).unwrap_or_else(|error| self.fail(&error));
        let container = json!({
            "metadata": {"name": "server"},
            "image": {"image": IMAGE},
            "command": [SERVER],
            "log_path": format!("{sandbox}.log"),
            "linux": {},
        });
        let request = json!({
            "pod_sandbox_id": sandbox, "config": container, "sandbox_config": self.whole(pod),
        });
        let created = self.must("RuntimeService/CreateContainer", &request);
        let request = json!({"container_id": created["containerId"]});
        self.must("RuntimeService/StartContainer", &request);
        sandbox
    }

    /// What the runtime is told of a pod: its control group is the node's to say, too.
    fn whole(&self, pod: &PodConfig) -> Value {
        let mut config = pod.0.clone();
        config["linux"]["cgroup_parent"] = self.cgroup.path().into();
        config
    }

    /// StopPodSandbox.
    ///
    /// # Errors
    /// What the runtime answered instead.
    pub fn stop(&self, sandbox: &str) -> Result<(), String> {
        let request = json!({"pod_sandbox_id": sandbox});
        self.call("RuntimeService/StopPodSandbox", &request)?;
        Ok(())
    }

    /// StopPodSandbox and RemovePodSandbox, as a kubelet does it to the end.
    ///
    /// # Panics
    /// When the runtime can't.
    pub fn remove(&self, sandbox: &str) {
        let request = json!({"pod_sandbox_id": sandbox});
        self.must("RuntimeService/StopPodSandbox", &request);
        self.must("RuntimeService/RemovePodSandbox", &request);
    }

    /// The IDs of the sandboxes that the runtime knows.
    ///
    /// # Panics
    /// When it does not say.
    pub fn sandboxes(&self) -> Vec<String> {
        let answer = self.must("RuntimeService/ListPodSandbox", &Value::Null);
        let items = answer["items"].as_array().into_iter().flatten();
        items.map(|item| text(&item["id"])).collect()
    }

    /// A pod's addresses as the runtime tells them to the kubelet, the first one first.
    ///
    /// # Panics
    /// When it has none.
    pub fn addresses(&self, sandbox: &str) -> Vec<IpAddr> {
        let request = json!({"pod_sandbox_id": sandbox});
        let answer = self.must("RuntimeService/PodSandboxStatus", &request);
        let network = &answer["status"]["network"];
        let more = network["additionalIps"].as_array().into_iter().flatten();
        let all = std::iter::once(&network["ip"]).chain(more.map(|more| &more["ip"]));
        all.map(|ip| text(ip).parse().expect("an IP address"))
            .collect()
    }

    /// The path of a sandbox's network namespace, of which the runtime tells on request.
    pub(super) fn netns(&self, sandbox: &str) -> PathBuf {
        let request = json!({"pod_sandbox_id": sandbox, "verbose": true});
        let answer = self.must("RuntimeService/PodSandboxStatus", &request);
        let told = answer["info"]["info"].as_str().unwrap_or_default();
        let told: Value = serde_json::from_str(told).expect("what is told is JSON");
        let namespaces = told["runtimeSpec"]["linux"]["namespaces"].as_array();
        let mut namespaces = namespaces.into_iter().flatten();
        let network = namespaces.find(|namespace| namespace["type"] == "network");
        text(&network.expect("a sandbox has a network")["path"]).into()
    }

    /// Whether the network is ready, and what the runtime says where it is not: what `crictl info`
    /// and the Node's condition show.
    ///
    /// # Panics
    /// When it does not say.
    pub fn network_ready(&self) -> Result<(), String> {
        let answer = self.must("RuntimeService/Status", &Value::Null);
        let conditions = answer["status"]["conditions"].as_array();
        let mut conditions = conditions.into_iter().flatten();
        let ready = conditions.find(|condition| condition["type"] == "NetworkReady");
        let ready = ready.unwrap_or_else(|| panic!("no condition: {answer}"));
        match ready["status"] == true {
            true => Ok(()),
            false => Err(text(&ready["message"])),
        }
    }

    fn must(&self, method: &str, request: &Value) -> Value {
        self.call(method, request)
            .unwrap_or_else(|error| self.fail(&error))
    }

    fn fail(&self, error: &str) -> ! {
        panic!("{error}\n{}", self.log())
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
