// SPDX-License-Identifier: Apache-2.0
//! Results since 0.3.0: interfaces, addresses and routes are lists.

use serde::{Deserialize, Serialize};

use crate::{AddResult, Dns, Error, Interface, Ip, Route, Version};

use super::pretty;

/// The JSON of 0.3.0, 0.3.1 and 0.4.0.
pub(super) fn tagged(result: &AddResult, version: Version) -> Result<String, Error> {
    pretty(&List {
        cni_version: version,
        interfaces: result.interfaces.iter().map(OldInterface::of).collect(),
        ips: result.ips.iter().map(TaggedIp::of).collect(),
        routes: &result.routes,
        dns: Some(&result.dns),
    })
}

/// The JSON of 1.0.0 and 1.1.0. 1.0.0 does not name all of the fields, but its readers pass over
/// what they don't know, and the reference plugins keep them too.
pub(super) fn plain(result: &AddResult, version: Version) -> Result<String, Error> {
    pretty(&List {
        cni_version: version,
        interfaces: result.interfaces.iter().collect(),
        ips: result.ips.iter().collect(),
        routes: &result.routes,
        dns: Some(&result.dns).filter(|dns| !dns.is_empty()),
    })
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

/// What is read of a list; an address's family is in the address.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ReadList {
    interfaces: Vec<Interface>,
    ips: Vec<Ip>,
    routes: Vec<Route>,
    dns: Dns,
}

impl From<ReadList> for AddResult {
    fn from(list: ReadList) -> Self {
        let ReadList {
            interfaces,
            ips,
            routes,
            dns,
        } = list;
        Self {
            interfaces,
            ips,
            routes,
            dns,
        }
    }
}
