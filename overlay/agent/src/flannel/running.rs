// SPDX-License-Identifier: Apache-2.0
//! What flannel has made of a node, as it is now.

use std::fs;
use std::path::Path;

use net::{Kind, Link, Rtnl, Vxlan};
use nft::Nft;
use serde_json::Value;
use topology::{Family, Vni};

use super::SubnetEnv;

/// The files by which the kernel tells of iptables-legacy's tables.
const LEGACY: [(&str, &str); 2] = [
    ("/proc/net/ip_tables_names", "iptables-legacy"),
    ("/proc/net/ip6_tables_names", "ip6tables-legacy"),
];
/// The tables in which flannel has rules.
const TABLES: [&str; 2] = ["nat", "filter"];
/// What flannel's plugin attaches pods to when its configuration says nothing else.
const BRIDGE: &str = "cni0";

/// What flannel has made of a node.
#[derive(Debug, Default)]
pub(crate) struct Running {
    /// Its VXLAN devices, of whatever VNI, or other links with their names.
    pub(super) devices: Vec<Device>,
    pub(super) subnet_env: Option<SubnetEnv>,
    /// The network that its plugin attaches pods to, when the runtime knows one.
    pub(super) network: Option<Attaching>,
    /// Whether it masquerades by rules in nf_tables.
    pub(super) masquerades: bool,
}

/// A link with a name of flannel's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Device {
    pub(super) name: String,
    /// What it is, if it is a VXLAN device.
    pub(super) vxlan: Option<Vxlan>,
}

impl From<Link> for Device {
    fn from(link: Link) -> Self {
        Self {
            name: link.name,
            vxlan: match link.kind {
                Kind::Vxlan(vxlan) => Some(vxlan),
                _ => None,
            },
        }
    }
}

/// How a conflist has pods attached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Attaching {
    /// The file's name.
    pub(super) file: String,
    /// The network's name, by which host-local keeps addresses.
    pub(super) name: String,
    /// The bridge that pods are attached to; none: they are not attached by `bridge`.
    pub(super) bridge: Option<String>,
    /// Where host-local keeps addresses, if it is told.
    pub(super) addresses: Option<String>,
    /// The plugins that are chained behind the first, but our own.
    pub(super) chained: Vec<String>,
}

impl Running {
    /// Looks at the node. What cannot be looked at is not there.
    pub(crate) fn look(
        rtnl: &Rtnl,
        nft: &mut Nft,
        vni: Vni,
        subnet_env: Option<&Path>,
        conflists: Option<&Path>,
    ) -> Result<Self, net::Error> {
        let mut devices = rtnl.vxlans()?;
        devices.retain(|link| {
            let number = ["flannel.", "flannel-v6."].map(|it| link.name.strip_prefix(it));
            let number = number.into_iter().flatten().next();
            number.is_some_and(|it| it.bytes().all(|byte| byte.is_ascii_digit()))
        });
        for family in Family::ALL {
            let Some(name) = vni.flannel_device_name(family) else {
                continue;
            };
            let taken = rtnl.link(&name)?;
            devices.extend(taken.filter(|link| !matches!(link.kind, Kind::Vxlan(_))));
        }
        Ok(Self {
            devices: devices.into_iter().map(Device::from).collect(),
            subnet_env: subnet_env.and_then(SubnetEnv::read),
            network: conflists.and_then(network_in),
            masquerades: nft::flannel::seen(nft).is_ok_and(|seen| seen.masquerades),
        })
    }

    /// Whether it has made an overlay in this boot.
    pub(crate) fn has_devices(&self) -> bool {
        !self.devices.is_empty()
    }
}

/// The programs whose tables, out of nf_tables' reach, may have rules of flannel's.
pub(crate) fn legacy_tables() -> Vec<&'static str> {
    let has = |path: &str| {
        let names = fs::read_to_string(path).unwrap_or_default();
        names.lines().any(|name| TABLES.contains(&name))
    };
    let found = LEGACY.into_iter().filter(|(path, _)| has(path));
    found.map(|(_, program)| program).collect()
}

/// The first network, in the runtime's order, that flannel's plugin serves.
fn network_in(directory: &Path) -> Option<Attaching> {
    let entries = fs::read_dir(directory).ok()?;
    let mut paths: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    let known = |path: &&std::path::PathBuf| {
        let extension = path.extension().and_then(|it| it.to_str());
        extension.is_some_and(|it| ["conflist", "conf", "json"].contains(&it))
    };
    let mut networks = paths.iter().filter(known).filter_map(|path| {
        let json = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        let file = path.file_name()?.to_string_lossy().into_owned();
        Attaching::of_flannels(&json, file)
    });
    networks.next()
}

impl Attaching {
    /// Of a conflist, or a single configuration, in which flannel's plugin is the first.
    pub(super) fn of_flannels(json: &Value, file: String) -> Option<Self> {
        let plugin = json.pointer("/plugins/0").unwrap_or(json);
        if text(plugin, "type") != Some("flannel") {
            return None;
        }
        let delegate = plugin.get("delegate").unwrap_or(&Value::Null);
        let by_bridge = matches!(text(delegate, "type"), None | Some("bridge"));
        let bridge = text(delegate, "bridge").unwrap_or(BRIDGE).to_owned();
        Some(Self::new(json, file, by_bridge.then_some(bridge), plugin))
    }

    /// Of a conflist of ours.
    pub(super) fn of_ours(json: &Value, file: String) -> Self {
        let plugin = json.pointer("/plugins/0").unwrap_or(json);
        let bridge = match text(plugin, "type") {
            Some("bridge") => Some(text(plugin, "bridge").unwrap_or(BRIDGE).to_owned()),
            _ => None,
        };
        Self::of_flannels(json, file.clone())
            .unwrap_or_else(|| Self::new(json, file, bridge, plugin))
    }

    fn new(json: &Value, file: String, bridge: Option<String>, plugin: &Value) -> Self {
        let chained = json.get("plugins").and_then(Value::as_array);
        let types = chained.into_iter().flatten().skip(1);
        let types = types.filter_map(|plugin| text(plugin, "type"));
        let ipam = plugin.get("ipam").unwrap_or(&Value::Null);
        Self {
            file,
            name: text(json, "name").unwrap_or_default().to_owned(),
            bridge,
            addresses: text(ipam, "dataDir").map(str::to_owned),
            chained: types
                .filter(|it| *it != "vxlan")
                .map(str::to_owned)
                .collect(),
        }
    }
}

fn text<'a>(json: &'a Value, key: &str) -> Option<&'a str> {
    json.get(key)
        .and_then(Value::as_str)
        .filter(|it| !it.is_empty())
}
