// SPDX-License-Identifier: Apache-2.0
//! The keys of the configuration that this plugin reads, as they are written.

use std::net::IpAddr;
use std::str::FromStr;

use cni::{Cidr, Route};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

#[derive(Debug, Deserialize)]
pub(super) struct Conf {
    pub(super) ipam: Option<Ipam>,
    #[serde(rename = "runtimeConfig")]
    pub(super) runtime_config: Option<RuntimeConfig>,
    pub(super) args: Option<Args>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Ipam {
    subnet: Option<Cidr>,
    #[serde(rename = "rangeStart", default)]
    range_start: Address,
    #[serde(rename = "rangeEnd", default)]
    range_end: Address,
    #[serde(default)]
    gateway: Address,
    #[serde(default)]
    pub(super) ranges: Vec<RawSet>,
    #[serde(default)]
    pub(super) routes: Vec<Route>,
    #[serde(rename = "resolvConf")]
    pub(super) resolv_conf: Option<String>,
    #[serde(rename = "statusWhenExhausted")]
    pub(super) status_when_exhausted: Option<bool>,
}

impl Ipam {
    /// The one range that could be given before there was `ranges`.
    pub(super) fn single_range(&self) -> Option<RawPool> {
        self.subnet.map(|subnet| RawPool {
            subnet,
            range_start: self.range_start,
            range_end: self.range_end,
            gateway: self.gateway,
        })
    }
}

pub(super) type RawSet = Vec<RawPool>;

#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct RawPool {
    pub(super) subnet: Cidr,
    #[serde(rename = "rangeStart", default)]
    pub(super) range_start: Address,
    #[serde(rename = "rangeEnd", default)]
    pub(super) range_end: Address,
    #[serde(default)]
    pub(super) gateway: Address,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct RuntimeConfig {
    #[serde(rename = "ipRanges", default)]
    pub(super) ip_ranges: Vec<RawSet>,
    #[serde(default)]
    pub(super) ips: Vec<Requested>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Args {
    pub(super) cni: Option<CniArgs>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct CniArgs {
    #[serde(default)]
    pub(super) ips: Vec<Requested>,
}

/// An address; the empty text is none, as for Go's `net.IP`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Address(pub(super) Option<IpAddr>);

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => Ok(Self(None)),
            text => text
                .parse()
                .map(|address: IpAddr| Self(Some(address.to_canonical())))
                .map_err(|_| format!("invalid IP address: {text}")),
        }
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

/// An address that is asked for; a prefix length may stand behind it and means nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Requested(pub(crate) Option<IpAddr>);

impl FromStr for Requested {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('/') {
            let Cidr(network) = text.parse().map_err(|error: cni::Error| error.msg)?;
            return Ok(Self(Some(network.ip().to_canonical())));
        }
        text.parse().map(|Address(address)| Self(address))
    }
}

impl<'de> Deserialize<'de> for Requested {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}
