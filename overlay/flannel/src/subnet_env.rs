// SPDX-License-Identifier: Apache-2.0
//! `subnet.env`: which pods this node has, in which networks, and how large their packets may be.

use std::fmt::Display;
use std::fs;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::Path;

use cni::{Cidr, Code, Error, OrCode};
use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};

/// The smallest MTU of IPv4 (RFC 791), and the largest that a link can have.
const MTU: std::ops::RangeInclusive<u32> = 68..=65535;

/// What the file says, all of it valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SubnetEnv {
    /// The networks of all nodes' pods, those of IPv4 first.
    pub(crate) networks: Vec<IpNetwork>,
    /// The networks of this node's pods, at most one of each family.
    pub(crate) subnets: Vec<IpNetwork>,
    /// The MTU of pods in octets.
    pub(crate) mtu: u32,
    /// Whether flannel, or the agent, masquerades, so that nobody else needs to.
    pub(crate) ip_masq: bool,
}

impl SubnetEnv {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path);
        let text = text.map_err(|error| {
            // Who writes it has not done so yet: the file does not outlive a boot.
            let code = match error.kind() {
                ErrorKind::NotFound => Code::TRY_AGAIN_LATER,
                _ => Code::IO,
            };
            let msg = format!("the overlay is not ready: cannot read {path:?}: {error}");
            Error::new(code, msg)
        })?;
        Self::parse(&text).or_code(Code::INVALID_CONFIG, format_args!("cannot use {path:?}"))
    }

    fn parse(text: &str) -> Result<Self, Invalid> {
        let mut values = Values::default();
        for (number, line) in text.lines().enumerate() {
            values
                .read(line)
                .map_err(|Invalid(cause)| Invalid(format!("line {}: {cause}", number + 1)))?;
        }
        values.complete()
    }
}

/// Why the file cannot be used.
#[derive(Debug, PartialEq, Eq)]
struct Invalid(String);

impl Display for Invalid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Invalid {}

/// The values found so far; the last one of a key counts.
#[derive(Debug, Default)]
struct Values {
    v4: Family,
    v6: Family,
    mtu: Option<u32>,
    ip_masq: Option<bool>,
}

#[derive(Debug, Default)]
struct Family {
    networks: Vec<IpNetwork>,
    subnet: Option<IpNetwork>,
}

impl Values {
    fn read(&mut self, line: &str) -> Result<(), Invalid> {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        let (key, value) = (key.trim(), value.trim());
        let invalid = |cause: &dyn Display| Invalid(format!("{key}: {cause}"));
        let cidr = |text: &str| network(key, text).map_err(|cause| invalid(&cause));
        match key {
            "FLANNEL_NETWORK" => self.v4.networks = list(value, cidr)?,
            "FLANNEL_IPV6_NETWORK" => self.v6.networks = list(value, cidr)?,
            "FLANNEL_SUBNET" => self.v4.subnet = Some(cidr(value)?),
            "FLANNEL_IPV6_SUBNET" => self.v6.subnet = Some(cidr(value)?),
            "FLANNEL_MTU" => self.mtu = Some(mtu(value).map_err(|cause| invalid(&cause))?),
            "FLANNEL_IPMASQ" => {
                let not = |_| invalid(&format_args!("{value:?} is neither true nor false"));
                self.ip_masq = Some(value.parse().map_err(not)?);
            }
            _ => {}
        }
        Ok(())
    }

    fn complete(self) -> Result<SubnetEnv, Invalid> {
        let missing = self.missing();
        let families = [self.v4, self.v6];
        let (Some(mtu), Some(ip_masq), true) = (self.mtu, self.ip_masq, missing.is_empty()) else {
            return Err(Invalid(format!("{} is missing", missing.join(", "))));
        };
        families.iter().try_for_each(Family::consistent)?;
        let subnets = families.iter().filter_map(|family| family.subnet).collect();
        let networks = families.into_iter().flat_map(|family| family.networks);
        Ok(SubnetEnv {
            networks: networks.collect(),
            subnets,
            mtu,
            ip_masq,
        })
    }

    fn missing(&self) -> Vec<&'static str> {
        let families = [&self.v4, &self.v6];
        let mut missing = Vec::new();
        if families.iter().all(|family| family.networks.is_empty()) {
            missing.push("FLANNEL_NETWORK or FLANNEL_IPV6_NETWORK");
        }
        if families.iter().all(|family| family.subnet.is_none()) {
            missing.push("FLANNEL_SUBNET or FLANNEL_IPV6_SUBNET");
        }
        missing.extend(self.mtu.is_none().then_some("FLANNEL_MTU"));
        missing.extend(self.ip_masq.is_none().then_some("FLANNEL_IPMASQ"));
        missing
    }
}

impl Family {
    /// Pods outside of all networks would be reached by nobody.
    fn consistent(&self) -> Result<(), Invalid> {
        let Some(subnet) = self.subnet else {
            return Ok(());
        };
        let around = |network: &IpNetwork| {
            network.prefix() <= subnet.prefix() && network.contains(subnet.network())
        };
        if self.networks.is_empty() || self.networks.iter().any(around) {
            return Ok(());
        }
        let networks: Vec<_> = self.networks.iter().map(IpNetwork::to_string).collect();
        let networks = networks.join(", ");
        Err(Invalid(format!(
            "the subnet {subnet} is not within the network {networks}"
        )))
    }
}

/// Distinct networks, in their order.
fn list(
    value: &str,
    cidr: impl Fn(&str) -> Result<IpNetwork, Invalid>,
) -> Result<Vec<IpNetwork>, Invalid> {
    let mut networks = Vec::new();
    for text in value.split(',') {
        let network = cidr(text.trim())?;
        if !networks.contains(&network) {
            networks.push(network);
        }
    }
    Ok(networks)
}

/// A network without its host bits, of the family that the key is for.
fn network(key: &str, text: &str) -> Result<IpNetwork, String> {
    let Cidr(given) = text.parse().map_err(|error: Error| error.msg)?;
    if given.is_ipv6() != key.contains("IPV6") {
        return Err(format!("{text} is of the other address family"));
    }
    let whole = match given.network() {
        IpAddr::V4(address) => Ipv4Network::new(address, given.prefix()).map(IpNetwork::V4),
        IpAddr::V6(address) => Ipv6Network::new(address, given.prefix()).map(IpNetwork::V6),
    };
    whole.map_err(|error| error.to_string())
}

fn mtu(value: &str) -> Result<u32, String> {
    let mtu = value.parse().ok().filter(|mtu| MTU.contains(mtu));
    mtu.ok_or_else(|| {
        let (least, most) = (MTU.start(), MTU.end());
        format!("{value:?} is not a number from {least} to {most}")
    })
}

#[cfg(test)]
mod tests;
