// SPDX-License-Identifier: Apache-2.0
//! The configuration, and who has the last word on addresses: the runtime's `runtimeConfig.ips`,
//! then `args.cni.ips`, each in the place of all others; else the configuration's own addresses
//! and those of CNI_ARGS together.

use std::collections::BTreeMap;
use std::net::IpAddr;

use cni::{Code, Dns, Error, Network, Route, Version, warn};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::addresses::{self, Address, invalid};

/// A configuration that holds together.
#[derive(Debug)]
pub(crate) struct Conf {
    /// The attachment's addresses, in the order of the result.
    pub(crate) addresses: Vec<Address>,
    /// The routes, passed on.
    pub(crate) routes: Vec<Route>,
    /// The DNS settings, passed on.
    pub(crate) dns: Dns,
}

#[derive(Deserialize)]
struct RawConf {
    ipam: Option<Ipam>,
    #[serde(rename = "runtimeConfig", default)]
    runtime_config: Ips,
    args: Option<Args>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Ipam {
    addresses: Vec<RawAddress>,
    routes: Vec<Route>,
    dns: Dns,
}

/// An address is read only where it counts: what the runtime replaces may be anything.
#[derive(Deserialize)]
struct RawAddress {
    #[serde(default)]
    address: String,
    #[serde(default, deserialize_with = "gateway")]
    gateway: Option<IpAddr>,
}

#[derive(Deserialize)]
struct Args {
    #[serde(default)]
    cni: Ips,
}

#[derive(Deserialize, Default)]
struct Ips {
    #[serde(default)]
    ips: Vec<String>,
}

impl Conf {
    /// Reads the configuration, with what `args` has of CNI_ARGS.
    pub(crate) fn new(network: &Network, args: &BTreeMap<String, String>) -> Result<Self, Error> {
        let raw: RawConf = network.conf()?;
        let missing = || invalid("IPAM config missing 'ipam' key");
        let ipam = raw.ipam.ok_or_else(missing)?;
        let from_args = of_args(args)?;
        let from_cni = raw.args.map(|args| args.cni.ips).unwrap_or_default();
        let runtime = raw.runtime_config.ips;
        let addresses = match [runtime, from_cni].iter().find(|ips| !ips.is_empty()) {
            Some(ips) => ips.iter().map(|ip| of_list(ip)).collect::<Result<_, _>>()?,
            None => {
                let own = ipam.addresses.iter().map(RawAddress::read);
                own.chain(from_args.into_iter().map(Ok))
                    .collect::<Result<Vec<_>, _>>()?
            }
        };
        addresses::check(&addresses)?;
        expressible(&addresses, network.version)?;
        Ok(Self {
            addresses,
            routes: ipam.routes,
            dns: ipam.dns,
        })
    }
}

impl RawAddress {
    fn read(&self) -> Result<Address, Error> {
        let text = &self.address;
        let address = Address::parse(text).ok_or_else(|| {
            let wish = "the 'address' field is expected to be in CIDR notation";
            invalid(format!("{wish}, got: '{text}'"))
        })?;
        Ok(address.with_gateway(self.gateway))
    }
}

/// An entry of `runtimeConfig.ips` or `args.cni.ips`.
fn of_list(text: &str) -> Result<Address, Error> {
    Address::parse(text).ok_or_else(|| {
        let wish = "an entry in the 'ips' field is NOT in CIDR notation";
        invalid(format!("{wish}, got: '{text}'"))
    })
}

/// The addresses of CNI_ARGS; each gateway there is that of those in whose subnet it lies.
fn of_args(args: &BTreeMap<String, String>) -> Result<Vec<Address>, Error> {
    let mut addresses = Vec::new();
    for text in items(args, "IP") {
        let address = Address::parse(text).ok_or_else(|| {
            let wish = "the 'ip' field is expected to be in CIDR notation";
            bad_args(format!("{wish}, got: '{text}'"))
        })?;
        addresses.push(address);
    }
    for text in items(args, "GATEWAY") {
        let gateway: IpAddr = text
            .parse()
            .map_err(|_| bad_args(format!("invalid gateway address: {text}")))?;
        let gateway = gateway.to_canonical();
        let of = |address: &&mut Address| address.network.contains(gateway);
        let mut of = addresses.iter_mut().filter(of).peekable();
        if of.peek().is_none() {
            let wish = "CNI_ARGS: no address there has a subnet";
            warn(format_args!("{wish} with the gateway {gateway}"));
        }
        of.for_each(|address| address.gateway = Some(gateway));
    }
    Ok(addresses)
}

fn items<'a>(args: &'a BTreeMap<String, String>, key: &str) -> impl Iterator<Item = &'a str> {
    let list = args.get(key).filter(|list| !list.is_empty());
    list.into_iter()
        .flat_map(|list| list.split(','))
        .map(str::trim)
}

fn bad_args(cause: String) -> Error {
    Error::new(Code::INVALID_ENVIRONMENT, format!("CNI_ARGS: {cause}"))
}

/// Before version 0.3.0 a result has one address of each family, and one at least.
fn expressible(addresses: &[Address], version: Version) -> Result<(), Error> {
    let v4 = addresses.iter().filter(|it| it.network.is_ipv4()).count();
    if version < Version::V0_3_0 && (v4 > 1 || addresses.len() - v4 > 1) {
        return Err(invalid(format!(
            "CNI version {version} does not support more than 1 address per family"
        )));
    }
    Ok(())
}

/// The empty text is no gateway, as for Go's `net.IP`.
fn gateway<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IpAddr>, D::Error> {
    match Option::<String>::deserialize(deserializer)?.as_deref() {
        None | Some("") => Ok(None),
        Some(text) => match text.parse() {
            Ok(address) => Ok(Some(address)),
            Err(_) => Err(D::Error::custom(format_args!("invalid IP address: {text}"))),
        },
    }
}

#[cfg(test)]
#[path = "conf_tests.rs"]
mod tests;
