// SPDX-License-Identifier: Apache-2.0
//! Clients on 127.0.0.1: the host's interfaces that let their packets out, `route_localnet`. As such an
//! interface takes packets for 127.0.0.1 as well, it is closed again when the rule goes that drops
//! them.

use std::net::IpAddr;

use cni::{Code, Error, OrCode, warn};
use net::{Rtnl, sysctl};

use crate::conf::Policy;
use crate::mapping::Mapping;

/// An interface of the host by which packets from 127.0.0.1 are to go to a container.
#[derive(Debug)]
pub(crate) struct LoopbackPort {
    name: String,
}

impl LoopbackPort {
    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether packets pass.
    pub(crate) fn is_open(&self) -> bool {
        sysctl::read(&path(&self.name)).is_ok_and(|value| value == "1")
    }

    /// Lets them through.
    pub(crate) fn open(&self) -> Result<(), Error> {
        let wish = format!("let packets from 127.0.0.1 leave by {:?}", self.name);
        sysctl::ensure(&path(&self.name), "1").or_code(Code::KERNEL, wish)
    }

    /// What keeps them from passing.
    pub(crate) fn missing(&self) -> Result<Option<String>, Error> {
        let path = path(&self.name);
        let value = sysctl::read(&path).or_code(Code::KERNEL, "read a setting of the interface")?;
        Ok((value != "1").then(|| format!("{path} is {value}")))
    }
}

/// The interfaces that lead to the containers' IPv4 addresses, if clients on 127.0.0.1 are served. Of
/// IPv6 the kernel asks for no such setting.
pub(crate) fn ports(
    host: &Rtnl,
    policy: &Policy,
    mappings: &[Mapping],
) -> Result<Vec<LoopbackPort>, Error> {
    let targets = mappings.iter().map(|mapping| mapping.target.ip());
    let mut targets: Vec<IpAddr> = targets.filter(IpAddr::is_ipv4).collect();
    targets.dedup();
    if policy.snat.is_none() || targets.is_empty() {
        return Ok(Vec::new());
    }
    targets
        .into_iter()
        .map(|target| leads_to(host, target))
        .collect()
}

fn leads_to(rtnl: &Rtnl, target: IpAddr) -> Result<LoopbackPort, Error> {
    let wish = || format!("look up the interface that leads to {target}");
    let route = rtnl.lookup(target).or_code(Code::KERNEL, wish())?;
    let index = route.and_then(|route| route.oif);
    let link = match index {
        Some(index) => rtnl.link_at(index).or_code(Code::KERNEL, wish())?,
        None => None,
    };
    let link = link.ok_or_else(|| {
        let text = format!("no route of the host leads to the container's address {target}");
        Error::new(Code::INVALID_CONFIG, text)
    })?;
    Ok(LoopbackPort { name: link.name })
}

/// Closes the interfaces, or opens them again. One that is gone is closed; that one cannot be closed
/// is worth a word and no reason for a mapping to stay.
pub(crate) fn set_open(names: &[String], open: bool) {
    let value = if open { "1" } else { "0" };
    for name in names {
        match sysctl::ensure(&path(name), value) {
            Err(error) if !error.is_not_found() => warn(error),
            _ => {}
        }
    }
}

fn path(name: &str) -> String {
    format!("net/ipv4/conf/{name}/route_localnet")
}
