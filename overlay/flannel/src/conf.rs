// SPDX-License-Identifier: Apache-2.0
//! The plugin's configuration, as far as it can be judged without `subnet.env`.

use std::path::PathBuf;

use cni::{Code, Error, Network, Route};
use ipnetwork::IpNetwork;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::fold;

const SUBNET_FILE: &str = "/run/flannel/subnet.env";

/// The plugin that attaches unless the configuration names another.
pub(crate) const BRIDGE: &str = "bridge";

/// The plugin that gives addresses unless the configuration names another.
const HOST_LOCAL: &str = "host-local";

/// What the operator has written.
#[derive(Debug, PartialEq)]
pub(crate) struct Conf {
    /// Where flannel, or the agent, says what the node's pods get.
    pub(crate) subnet_file: PathBuf,
    /// The delegate.
    pub(crate) plugin: String,
    /// Its configuration's keys, without what comes from elsewhere.
    pub(crate) delegate: Map<String, Value>,
    /// The configuration of addresses, `type` included, without `ranges` and `routes`.
    pub(crate) ipam: Map<String, Value>,
    /// Routes, as they were written.
    pub(crate) routes: Vec<Value>,
    /// Where they lead.
    pub(crate) destinations: Vec<IpNetwork>,
}

/// The keys whose values are passed on as they are.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Raw {
    cni_version: String,
    subnet_file: String,
    delegate: Option<Map<String, Value>>,
    ipam: Option<Map<String, Value>>,
    runtime_config: Option<Map<String, Value>>,
}

/// The keys within them that this plugin reads itself.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Read {
    delegate: ReadDelegate,
    ipam: ReadIpam,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ReadDelegate {
    r#type: String,
    name: Option<Value>,
    ipam: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ReadIpam {
    r#type: String,
    routes: Vec<Route>,
}

impl Conf {
    /// Reads it; the errors are those of `docs/plugins/flannel.md`.
    pub(crate) fn new(network: &Network) -> Result<Self, Error> {
        let raw: Raw = network.conf()?;
        let read: Read = network.conf()?;
        for (key, value) in [("name", &read.delegate.name), ("ipam", &read.delegate.ipam)] {
            if value.is_some() {
                let msg = format!("delegate.{key} can't be given: the plugin sets it");
                return Err(Error::new(Code::INVALID_CONFIG, msg));
            }
        }
        let plugin = given(read.delegate.r#type).unwrap_or_else(|| BRIDGE.to_owned());
        let mut delegate = raw.delegate.unwrap_or_default();
        fold::set(&mut delegate, "name", network.name.as_str());
        fold::set(&mut delegate, "type", plugin.as_str());
        if let Some(version) = given(raw.cni_version) {
            fold::set(&mut delegate, "cniVersion", version);
        }
        if let Some(runtime) = raw.runtime_config {
            fold::set(&mut delegate, "runtimeConfig", runtime);
        }
        let mut ipam = raw.ipam.unwrap_or_default();
        let routes = fold::field(&ipam, "routes").and_then(Value::as_array);
        let routes = routes.cloned().unwrap_or_default();
        fold::set(
            &mut ipam,
            "type",
            given(read.ipam.r#type).unwrap_or_else(|| HOST_LOCAL.to_owned()),
        );
        for key in ["ranges", "routes"] {
            fold::remove(&mut ipam, key);
        }
        Ok(Self {
            subnet_file: absolute(raw.subnet_file)?,
            plugin,
            delegate,
            ipam,
            routes,
            destinations: read.ipam.routes.iter().map(|route| route.dst).collect(),
        })
    }
}

fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// A path that does not depend on where a runtime happens to start plugins.
fn absolute(path: String) -> Result<PathBuf, Error> {
    let path = PathBuf::from(given(path).unwrap_or_else(|| SUBNET_FILE.to_owned()));
    if path.is_relative() {
        let msg = format!("the path {path:?} is not absolute");
        return Err(Error::new(Code::INVALID_CONFIG, msg));
    }
    Ok(path)
}
