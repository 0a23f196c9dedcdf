// SPDX-License-Identifier: Apache-2.0
//! What flannel made of a node, held against what would be made of it, before anything is changed.
//!
//! What can be changed while packets flow is no obstacle: the device's MTU, its MAC address, its
//! local address, its underlay, that it learns. What cannot is told, all of it at once.

use std::fmt;
use std::path::Path;

use ipnetwork::IpNetwork;
use net::Vxlan;
use serde_json::Value;
use topology::{Family, Settings};

use super::Lines;
use super::running::{Attaching, Device, Running};

/// What would be made of the node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Here<'a> {
    /// As far as the command line has them: the network may come with the list of nodes.
    pub(crate) settings: &'a Settings,
    pub(crate) ip_masq: bool,
    /// The conflist that is to be written, and what it is made of.
    pub(crate) conflist: Option<(&'a Path, &'a Value)>,
}

/// The take-over that is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("flannel's place on this node is not taken, and nothing was changed:{0}")]
pub(crate) struct Refused(Lines);

/// One thing that is not as it would be.
#[derive(Debug)]
struct Difference {
    object: String,
    there: String,
    here: String,
    remedy: &'static str,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            object,
            there,
            here,
            remedy,
        } = self;
        write!(f, "{object}: there {there}, here {here}; {remedy}")
    }
}

impl Running {
    /// Refuses, if something differs that cannot be made right while packets flow.
    pub(crate) fn agrees_with(&self, here: &Here<'_>) -> Result<(), Refused> {
        let mut differences = self.devices(here.settings);
        differences.extend(self.network(&here.settings.network));
        differences.extend(self.masquerade(here.ip_masq));
        differences.extend(self.attaching(here.conflist));
        refuse(differences)
    }

    /// The same for what only the list of nodes says.
    pub(crate) fn agrees_with_list(
        &self,
        network: &[IpNetwork],
        pod_cidrs: &[IpNetwork],
    ) -> Result<(), Refused> {
        let mut differences = self.network(network);
        let subnets = self.subnet_env.iter().flat_map(|said| said.subnets);
        for subnet in subnets.flatten().filter(|it| !pod_cidrs.contains(it)) {
            differences.push(Difference {
                object: "this node's pod CIDR in subnet.env".to_owned(),
                there: subnet.to_string(),
                here: texts(
                    pod_cidrs
                        .iter()
                        .filter(|it| it.is_ipv4() == subnet.is_ipv4()),
                ),
                remedy: "have flanneld started anew with the node's present pod CIDR, and its pods",
            });
        }
        refuse(differences)
    }

    fn devices(&self, settings: &Settings) -> Vec<Difference> {
        let families = Family::ALL.into_iter();
        let names: Vec<_> = families
            .filter_map(|it| settings.vni.flannel_device_name(it))
            .collect();
        let (ours, others): (Vec<_>, Vec<_>) = self
            .devices
            .iter()
            .partition(|link| names.contains(&link.name));
        let mut differences: Vec<_> = ours
            .iter()
            .flat_map(|link| of_device(link, settings))
            .collect();
        // Beside a device with our VNI another one is a leftover, and in nobody's way.
        let other = others.first().filter(|_| ours.is_empty());
        differences.extend(other.map(|link| Difference {
            object: format!("VNI of device {}", link.name),
            there: link.vxlan.map_or(0, |vxlan| vxlan.vni).to_string(),
            here: settings.vni.get().to_string(),
            remedy: "give flannel's with --vni or --net-conf",
        }));
        differences
    }

    fn network(&self, network: &[IpNetwork]) -> Vec<Difference> {
        let there = self
            .subnet_env
            .iter()
            .flat_map(|said| said.networks.iter().flatten());
        let missing = there.filter(|it| !network.is_empty() && !network.contains(it));
        let difference = |there: &IpNetwork| Difference {
            object: "cluster network in subnet.env".to_owned(),
            there: there.to_string(),
            here: texts(network.iter().filter(|it| it.is_ipv4() == there.is_ipv4())),
            remedy: "give flannel's with --network or --net-conf",
        };
        missing.map(difference).collect()
    }

    fn masquerade(&self, ip_masq: bool) -> Option<Difference> {
        let said = self.subnet_env.as_ref().is_some_and(|said| said.ip_masq);
        let masquerades = (said || self.masquerades) && !ip_masq;
        masquerades.then(|| Difference {
            object: "masquerade of packets that leave the cluster".to_owned(),
            there: "flanneld's".to_owned(),
            here: "none".to_owned(),
            remedy: "give --ip-masq",
        })
    }

    fn attaching(&self, conflist: Option<(&Path, &Value)>) -> Vec<Difference> {
        let (Some(there), Some((path, template))) = (&self.network, conflist) else {
            return Vec::new();
        };
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let here = Attaching::of_ours(template, file.into_owned());
        let by = |it: &Attaching| it.bridge.clone().unwrap_or_else(|| "no bridge".to_owned());
        let default = || "host-local's default".to_owned();
        let [there_at, here_at] =
            [there, &here].map(|it| it.addresses.clone().unwrap_or_else(default));
        let compared = [
            (
                "network name",
                there.name.clone(),
                here.name.clone(),
                KEEP_NAME,
            ),
            ("bridge", by(there), by(&here), KEEP_BRIDGE),
            ("addresses' directory", there_at, here_at, KEEP_NAME),
            (
                "chained plugins",
                there.chained.join(", "),
                here.chained.join(", "),
                KEEP_PLUGINS,
            ),
        ];
        let of_conflist = |what: &str| format!("{what} in conflist {}", there.file);
        let unlike = compared
            .into_iter()
            .filter(|(_, there, here, _)| there != here);
        let mut differences: Vec<_> = unlike
            .map(|(what, there, here, remedy)| Difference {
                object: of_conflist(what),
                there: format!("{there:?}"),
                here: format!("{here:?}"),
                remedy,
            })
            .collect();
        if there.file < here.file {
            differences.push(Difference {
                object: "the conflist that the runtime takes".to_owned(),
                there: there.file.clone(),
                here: here.file,
                remedy: "name one with --conflist that comes before it, or that one itself",
            });
        }
        differences
    }
}

const KEEP_NAME: &str = "say the same in --conflist-template, or addresses are given out twice";
const KEEP_BRIDGE: &str = "say the same in --conflist-template, or pods of one node are apart";
const KEEP_PLUGINS: &str = "say the same in --conflist-template, or new pods go without";

/// What the kernel never changes of a device.
fn of_device(link: &Device, settings: &Settings) -> Vec<Difference> {
    let Some(vxlan) = &link.vxlan else {
        return vec![Difference {
            object: format!("device {}", link.name),
            there: "a link that is no VXLAN device".to_owned(),
            here: "one".to_owned(),
            remedy: "delete it",
        }];
    };
    let mut differences = Vec::new();
    let mut unlike = |what: &str, there: String, here: String, remedy| {
        let object = format!("{what} of device {}", link.name);
        if there != here {
            differences.push(Difference {
                object,
                there,
                here,
                remedy,
            });
        }
    };
    let (vni, port) = (settings.vni.get(), settings.port.get());
    unlike(
        "VNI",
        vxlan.vni.to_string(),
        vni.to_string(),
        "give flannel's with --vni or --net-conf",
    );
    unlike(
        "port",
        vxlan.port.to_string(),
        port.to_string(),
        "give flannel's with --port or --net-conf",
    );
    let flags = told(vxlan);
    unlike(
        "flags",
        flags,
        "none".to_owned(),
        "have flanneld make it anew without, on all nodes",
    );
    differences
}

/// What flannel does not ask for by default.
fn told(vxlan: &Vxlan) -> String {
    let flags = [
        (vxlan.gbp, "gbp"),
        (vxlan.gpe, "gpe"),
        (vxlan.external, "external"),
        (vxlan.group.is_some(), "group or remote"),
        (vxlan.proxy, "proxy"),
        (vxlan.route_short_circuit, "rsc"),
        (vxlan.l2_miss, "l2miss"),
        (vxlan.l3_miss, "l3miss"),
    ];
    let set: Vec<_> = flags
        .iter()
        .filter(|(is, _)| *is)
        .map(|(_, name)| *name)
        .collect();
    if set.is_empty() {
        return "none".to_owned();
    }
    set.join(", ")
}

fn refuse(differences: Vec<Difference>) -> Result<(), Refused> {
    if differences.is_empty() {
        return Ok(());
    }
    let lines = differences.iter().map(ToString::to_string).collect();
    Err(Refused(Lines(lines)))
}

fn texts<'a>(networks: impl Iterator<Item = &'a IpNetwork>) -> String {
    let texts: Vec<_> = networks.map(IpNetwork::to_string).collect();
    if texts.is_empty() {
        return "none".to_owned();
    }
    texts.join(", ")
}

#[cfg(test)]
mod tests;
