// SPDX-License-Identifier: Apache-2.0
//! The gaps of a template, filled. What the template says itself stays as it is.

use std::path::Path;

use ipnetwork::IpNetwork;
use serde_json::{Map, Value, json};

/// What only the agent knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// This node's pod CIDRs.
    pub(crate) pod_cidrs: &'a [IpNetwork],
    /// The cluster's network.
    pub(crate) network: &'a [IpNetwork],
    /// The MTU in bytes that pods need.
    pub(crate) pod_mtu: u32,
    /// The state file, when it is not where the `vxlan` plugin looks by itself.
    pub(crate) state: Option<&'a Path>,
}

/// Fills the gaps of a conflist.
pub(super) fn fill(list: &mut Value, facts: &Facts<'_>) {
    let plugins = list.get_mut("plugins").and_then(Value::as_array_mut);
    for plugin in plugins
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        match plugin.get("type").and_then(Value::as_str) {
            Some("bridge") => lacking(plugin, "mtu", || facts.pod_mtu.into()),
            Some("vxlan") => vxlan(plugin, facts),
            // It fills its gaps itself, from subnet.env.
            Some("flannel") => continue,
            _ => {}
        }
        if let Some(ipam) = at(plugin, "ipam").and_then(Value::as_object_mut) {
            addresses(ipam, facts);
        }
    }
}

fn vxlan(plugin: &mut Map<String, Value>, facts: &Facts<'_>) {
    lacking(plugin, "network", || texts(facts.network));
    let is_static = ["nodes", "nodesFile"]
        .iter()
        .any(|key| !is_absent(plugin, key));
    if let Some(state) = facts.state.filter(|_| !is_static) {
        lacking(plugin, "stateFile", || state.display().to_string().into());
    }
}

/// A range set for each pod CIDR, so that a pod has an address of each, and default routes.
fn addresses(ipam: &mut Map<String, Value>, facts: &Facts<'_>) {
    let is_ours = ipam.get("type").and_then(Value::as_str) == Some("host-local");
    let is_given = |key| !is_absent(ipam, key);
    if !is_ours || is_given("subnet") || is_given("ranges") {
        return;
    }
    let sets = facts.pod_cidrs.iter();
    let sets = sets.map(|cidr| json!([{ "subnet": cidr.to_string() }]));
    lacking(ipam, "ranges", || sets.collect());
    let mut routes = Vec::new();
    if facts.pod_cidrs.iter().any(IpNetwork::is_ipv4) {
        routes.push(json!({ "dst": "0.0.0.0/0" }));
    }
    if facts.pod_cidrs.iter().any(IpNetwork::is_ipv6) {
        routes.push(json!({ "dst": "::/0" }));
    }
    lacking(ipam, "routes", || routes.into());
}

/// Gives a key that is absent a value, under the name that it has there.
fn lacking(object: &mut Map<String, Value>, key: &str, value: impl FnOnce() -> Value) {
    if !is_absent(object, key) {
        return;
    }
    match at(object, key) {
        Some(gap) => *gap = value(),
        None => {
            object.insert(key.to_owned(), value());
        }
    }
}

/// Plugins match keys without regard to case.
fn at<'a>(object: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Value> {
    let mut entries = object.iter_mut();
    let found = entries.find(|(name, _)| name.eq_ignore_ascii_case(key));
    found.map(|(_, value)| value)
}

/// Whether a key is missing, or has a value that plugins take for that.
fn is_absent(object: &Map<String, Value>, key: &str) -> bool {
    let mut entries = object.iter();
    let found = entries.find(|(name, _)| name.eq_ignore_ascii_case(key));
    found.is_none_or(|(_, value)| match value {
        Value::Null => true,
        Value::Number(number) => number.as_u64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Bool(_) | Value::Object(_) => false,
    })
}

fn texts(networks: &[IpNetwork]) -> Value {
    networks.iter().map(IpNetwork::to_string).collect()
}
