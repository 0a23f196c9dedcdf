// SPDX-License-Identifier: Apache-2.0
//! Results before 0.3.0: one address per family, with that family's routes.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use serde::{Deserialize, Serialize};

use crate::{AddResult, Dns, Ip, Route, Version, cidr};

/// What is written.
#[derive(Serialize)]
pub(super) struct Pair<'a> {
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
    /// Only the first address of a family can be said, and only routes of a family that has one.
    pub(super) fn of(result: &'a AddResult, version: Version) -> Self {
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

/// What is read.
#[derive(Deserialize)]
pub(super) struct ReadPair {
    ip4: Option<Half>,
    ip6: Option<Half>,
    #[serde(default)]
    dns: Dns,
}

impl From<ReadPair> for AddResult {
    fn from(pair: ReadPair) -> Self {
        let mut result = Self {
            dns: pair.dns,
            ..Self::default()
        };
        for Half {
            ip,
            gateway,
            routes,
        } in [pair.ip4, pair.ip6].into_iter().flatten()
        {
            result.ips.push(Ip {
                address: ip,
                gateway,
                interface: None,
            });
            let routes = routes
                .into_iter()
                .map(|route| Route::new(route.dst, route.gw));
            result.routes.extend(routes);
        }
        result
    }
}
