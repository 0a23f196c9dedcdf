// SPDX-License-Identifier: Apache-2.0
//! A result in the JSON of each version: three shapes, of which 1.0.0 and 1.1.0 share one, 0.3.0
//! to 0.4.0 one, and 0.1.0 and 0.2.0 one.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::ser::{PrettyFormatter, Serializer};

use crate::{AddResult, Code, Dns, Error, Interface, Ip, OrCode, Route, Version};
use crate::{cidr, fold};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// One address per family, in `ip4` and `ip6`.
    Pair,
    /// Lists, in which an address says its family.
    Tagged,
    /// Lists.
    Plain,
}

impl Shape {
    fn of(version: Version) -> Self {
        match version {
            Version::V0_1_0 | Version::V0_2_0 => Self::Pair,
            Version::V0_3_0 | Version::V0_3_1 | Version::V0_4_0 => Self::Tagged,
            Version::V1_0_0 | Version::V1_1_0 => Self::Plain,
        }
    }
}

impl AddResult {
    /// Reads a result that came with a configuration of this version, such as `prevResult`.
    /// `null` is the empty result.
    ///
    /// # Errors
    /// [`Code::DECODE`] and [`Code::INVALID_CONFIG`] as [`Network::conf`](crate::Network::conf),
    /// [`Code::DECODE`] also when the result says a version of another shape than `config`.
    pub fn parse(value: &Value, config: Version) -> Result<Self, Error> {
        let version = version(value, config)?;
        if Shape::of(version) != Shape::of(config) {
            let msg = format!("a result of CNI {version} under a configuration of CNI {config}");
            return Err(Error::new(Code::DECODE, msg));
        }
        read(value, version)
    }

    /// Reads a result of the version that it says itself. Delegates answer with such, and the
    /// reference plugins take them.
    pub(crate) fn parse_any(value: &Value, config: Version) -> Result<Self, Error> {
        read(value, version(value, config)?)
    }

    /// Whether `version` can say this at all: 0.1.0 and 0.2.0 demand an address. A plugin that
    /// attaches without addresses asks before it changes anything.
    ///
    /// # Errors
    /// [`Code::INCOMPATIBLE_VERSION`].
    pub fn expressible(&self, version: Version) -> Result<(), Error> {
        if Shape::of(version) != Shape::Pair || !self.ips.is_empty() {
            return Ok(());
        }
        let error = Error::new(
            Code::INCOMPATIBLE_VERSION,
            "cannot convert: no valid IP addresses",
        );
        Err(error.with_details(format!("a result of CNI {version} must have an IP address")))
    }

    /// The result in the JSON of this version, whatever that version cannot say left out.
    ///
    /// # Errors
    /// As [`Self::expressible`].
    pub fn to_json(&self, version: Version) -> Result<String, Error> {
        self.expressible(version)?;
        match Shape::of(version) {
            Shape::Pair => pretty(&Pair::of(self, version)),
            Shape::Tagged => pretty(&List {
                cni_version: version,
                interfaces: self.interfaces.iter().map(OldInterface::of).collect(),
                ips: self.ips.iter().map(TaggedIp::of).collect(),
                routes: &self.routes,
                dns: Some(&self.dns),
            }),
            Shape::Plain => pretty(&List {
                cni_version: version,
                interfaces: self.interfaces.iter().collect(),
                ips: self.ips.iter().collect(),
                routes: &self.routes,
                dns: Some(&self.dns).filter(|dns| !dns.is_empty()),
            }),
        }
    }
}

/// JSON as the reference plugins print it, and without a newline at the end as they do.
pub(crate) fn pretty(document: &impl Serialize) -> Result<String, Error> {
    let mut json = Vec::new();
    let formatter = PrettyFormatter::with_indent(b"    ");
    document
        .serialize(&mut Serializer::with_formatter(&mut json, formatter))
        .or_code(Code::INTERNAL, "cannot write JSON")?;
    String::from_utf8(json).or_code(Code::INTERNAL, "cannot write JSON")
}

#[derive(Serialize)]
struct List<'a, I, P> {
    #[serde(rename = "cniVersion")]
    cni_version: Version,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    interfaces: Vec<I>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ips: Vec<P>,
    #[serde(skip_serializing_if = "<[Route]>::is_empty")]
    routes: &'a [Route],
    #[serde(skip_serializing_if = "Option::is_none")]
    dns: Option<&'a Dns>,
}

#[derive(Serialize)]
struct OldInterface<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sandbox: Option<&'a str>,
}

impl<'a> OldInterface<'a> {
    fn of(interface: &'a Interface) -> Self {
        Self {
            name: &interface.name,
            mac: interface.mac.as_deref(),
            sandbox: interface.sandbox.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct TaggedIp<'a> {
    version: &'static str,
    #[serde(flatten)]
    ip: &'a Ip,
}

impl<'a> TaggedIp<'a> {
    fn of(ip: &'a Ip) -> Self {
        Self {
            version: if ip.address.is_ipv4() { "4" } else { "6" },
            ip,
        }
    }
}

#[derive(Serialize)]
struct Pair<'a> {
    #[serde(rename = "cniVersion")]
    cni_version: Version,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip4: Option<Half>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip6: Option<Half>,
    dns: &'a Dns,
}

/// A family's address and routes before 0.3.0.
#[derive(Serialize, Deserialize)]
struct Half {
    #[serde(serialize_with = "cidr::text", deserialize_with = "cidr::network")]
    ip: IpNetwork,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "cidr::address"
    )]
    gateway: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    routes: Vec<HalfRoute>,
}

#[derive(Serialize, Deserialize)]
struct HalfRoute {
    #[serde(serialize_with = "cidr::text", deserialize_with = "cidr::network")]
    dst: IpNetwork,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "cidr::address"
    )]
    gw: Option<IpAddr>,
}

impl<'a> Pair<'a> {
    fn of(result: &'a AddResult, version: Version) -> Self {
        let half = |v4: bool| {
            let ip = result.ips.iter().find(|ip| ip.address.is_ipv4() == v4)?;
            let routes = result
                .routes
                .iter()
                .filter(|route| route.dst.is_ipv4() == v4);
            let routes = routes.map(|route| HalfRoute {
                dst: route.dst,
                gw: route.gw,
            });
            Some(Half {
                ip: ip.address,
                gateway: ip.gateway,
                routes: routes.collect(),
            })
        };
        Self {
            cni_version: version,
            ip4: half(true),
            ip6: half(false),
            dns: &result.dns,
        }
    }
}

/// The version that a result says, or else the configuration's.
fn version(value: &Value, config: Version) -> Result<Version, Error> {
    let text: &str = fold::field(value, "cniVersion")
        .map_or(Ok(""), fold::from_value)
        .map_err(|failure| {
            failure
                .within("cniVersion")
                .into_error("cannot read a result")
        })?;
    if text.is_empty() {
        Ok(config)
    } else {
        text.parse()
    }
}

fn read(value: &Value, version: Version) -> Result<AddResult, Error> {
    let result = match Shape::of(version) {
        Shape::Pair => fold::from_value(value).map(from_pair),
        Shape::Tagged | Shape::Plain => fold::from_value(value).map(from_list),
    };
    let wish = format_args!("cannot read a result of CNI {version}");
    result.map_err(|failure| failure.into_error(wish))
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct ReadList {
    interfaces: Vec<Interface>,
    ips: Vec<Ip>,
    routes: Vec<Route>,
    dns: Dns,
}

fn from_list(list: ReadList) -> AddResult {
    let ReadList {
        interfaces,
        ips,
        routes,
        dns,
    } = list;
    AddResult {
        interfaces,
        ips,
        routes,
        dns,
    }
}

#[derive(Deserialize)]
struct ReadPair {
    ip4: Option<Half>,
    ip6: Option<Half>,
    #[serde(default)]
    dns: Dns,
}

fn from_pair(pair: ReadPair) -> AddResult {
    let mut result = AddResult {
        dns: pair.dns,
        ..AddResult::default()
    };
    for half in [pair.ip4, pair.ip6].into_iter().flatten() {
        result.ips.push(Ip {
            address: half.ip,
            gateway: half.gateway,
            interface: None,
        });
        result
            .routes
            .extend(half.routes.into_iter().map(|HalfRoute { dst, gw }| Route {
                dst,
                gw,
                mtu: None,
                advmss: None,
                priority: None,
                table: None,
                scope: None,
            }));
    }
    result
}

#[cfg(test)]
mod tests;
