// SPDX-License-Identifier: Apache-2.0
//! The options that make of the agent what flannel was on a node.

use std::path::{Path, PathBuf};

use clap::Args;
use ipnetwork::IpNetwork;

use super::{Run, cidr};
use crate::flannel::{NetConf, NetConfError};

/// Where flannel's plugin looks for what it needs.
pub(crate) const SUBNET_ENV: &str = "/run/flannel/subnet.env";

#[derive(Args, Debug)]
pub(crate) struct Flannel {
    /// Flannel's net-conf.json, by which the overlay is what the options leave open
    #[arg(long, value_name = "FILE")]
    pub(crate) net_conf: Option<PathBuf>,
    /// Masquerade what this node's pods send out of the cluster, whoever attached them
    #[arg(long)]
    pub(crate) ip_masq: bool,
    /// A network that pods reach untranslated; several with the option repeated
    #[arg(long, value_name = "CIDR", value_parser = cidr, requires = "ip_masq")]
    pub(crate) non_masquerade_cidr: Vec<IpNetwork>,
    /// Keep this file, from which the plugin flannel learns of the overlay [default: with
    /// --take-over-flannel /run/flannel/subnet.env, else none]
    #[arg(long, value_name = "FILE")]
    pub(crate) subnet_env: Option<PathBuf>,
}

impl Run {
    /// The options with what `--net-conf` says where they say nothing.
    pub(crate) fn with_net_conf(mut self) -> Result<Self, NetConfError> {
        let Some(path) = &self.flannel.net_conf else {
            return Ok(self);
        };
        let said = NetConf::read(path)?.settings();
        if self.overlay.network.is_empty() {
            self.overlay.network = said.network;
        }
        self.overlay.vni = self.overlay.vni.or(Some(said.vni));
        self.port = self.port.or(Some(said.port));
        self.mtu = self.mtu.or(said.mtu);
        self.direct_routing |= said.direct_routing;
        Ok(self)
    }

    /// Where to pods go untranslated, if the agent masquerades.
    pub(crate) fn masquerade(&self) -> Option<Vec<IpNetwork>> {
        let flannel = &self.flannel;
        flannel.ip_masq.then(|| flannel.non_masquerade_cidr.clone())
    }

    /// The file for the plugin flannel.
    pub(crate) fn subnet_env(&self) -> Option<&Path> {
        let default = self.overlay.take_over_flannel;
        let default = default.then_some(Path::new(SUBNET_ENV));
        self.flannel.subnet_env.as_deref().or(default)
    }
}
