// SPDX-License-Identifier: Apache-2.0
//! The configuration, and who has the last word: `args.cni`, then the runtime's `runtimeConfig`,
//! then CNI_ARGS, then the keys themselves. So it is with the reference plugin.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cni::{Add, Check, Code, Error, Network};
use net::Mac;
use serde::Deserialize;

use crate::attributes::Attributes;
use crate::duplicates;
use crate::settings::{self, Settings};
use crate::sysctls::{self, Sysctl};

/// The keys of CNI_ARGS that count.
const ARGS: [&str; 1] = ["MAC"];

/// Where backups are unless the configuration says otherwise.
pub(crate) const DATA_DIR: &str = "/run/cni/tuning";

/// A configuration that holds together.
#[derive(Debug)]
pub(crate) struct Conf {
    /// What the interface is to have.
    pub(crate) wish: Attributes,
    /// What the sandbox is to have, in the order in which it is set.
    pub(crate) sysctls: Vec<Sysctl>,
    /// Where the backups are.
    pub(crate) data_dir: PathBuf,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Around {
    #[serde(rename = "runtimeConfig")]
    runtime_config: Runtime,
    args: Args,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Runtime {
    mac: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Args {
    cni: Settings,
}

impl Conf {
    /// What ADD is to make.
    pub(crate) fn of_add(call: &Add) -> Result<Self, Error> {
        let args = call.args(&ARGS)?;
        Self::new(&call.network, &args, &call.attachment.ifname)
    }

    /// What CHECK is to find.
    pub(crate) fn of_check(call: &Check) -> Result<Self, Error> {
        let args = call.args(&ARGS)?;
        Self::new(&call.network, &args, &call.attachment.ifname)
    }

    /// What there is to say without an attachment.
    pub(crate) fn of_network(network: &Network) -> Result<Self, Error> {
        Self::new(network, &BTreeMap::new(), sysctls::IFNAME)
    }

    fn new(
        network: &Network,
        args: &BTreeMap<String, String>,
        ifname: &str,
    ) -> Result<Self, Error> {
        let own: Settings = network.conf()?;
        let Around {
            runtime_config,
            args: Args { cni },
        } = network.conf()?;
        if !own.sysctl.is_empty() {
            duplicates::refuse(network.stdin())?;
        }
        let empty = String::new();
        let sources = [
            ("args.cni.mac", &cni.mac),
            ("runtimeConfig.mac", &runtime_config.mac),
            ("MAC of CNI_ARGS", args.get("MAC").unwrap_or(&empty)),
            ("mac", &own.mac),
        ];
        let sysctls = [&own.sysctl, &cni.sysctl].map(|map| sysctls::read(map, ifname));
        let [own_sysctls, cni_sysctls] = sysctls;
        Ok(Self {
            wish: Attributes {
                mac: mac(&sources)?,
                ..own.attributes(&cni)?
            },
            sysctls: sysctls::together(own_sysctls?, cni_sysctls?),
            data_dir: data_dir(network)?,
        })
    }

    /// Whether all is to stay as it is.
    pub(crate) fn is_empty(&self) -> bool {
        self.wish.is_empty() && self.sysctls.is_empty()
    }
}

/// The first that is given.
fn mac(sources: &[(&str, &String)]) -> Result<Option<Mac>, Error> {
    let given = sources.iter().find(|(_, text)| !text.is_empty());
    let read = |(source, text): &(&str, &String)| {
        let code = match source.ends_with("CNI_ARGS") {
            true => Code::INVALID_ENVIRONMENT,
            false => Code::INVALID_CONFIG,
        };
        settings::mac(text, source, code)
    };
    given.map(read).transpose()
}

/// The directory of backups. Nothing else of the configuration is read.
pub(crate) fn data_dir(network: &Network) -> Result<PathBuf, Error> {
    #[derive(Deserialize, Default)]
    #[serde(default, rename_all = "camelCase")]
    struct Place {
        data_dir: String,
    }
    Ok(match network.conf::<Place>()?.data_dir {
        empty if empty.is_empty() => DATA_DIR.into(),
        given => given.into(),
    })
}

#[cfg(test)]
#[path = "conf_tests.rs"]
mod tests;
