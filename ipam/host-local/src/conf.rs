// SPDX-License-Identifier: Apache-2.0
//! The configuration: as it is written, and as it is meant.

mod place;
mod raw;

use std::net::IpAddr;
use std::path::PathBuf;

use cni::{Code, Error, Network, Route, Version};
use host_local::ranges::{self, Pool, RangeSet};

pub(crate) use place::Place;
pub(crate) use raw::Requested;
use raw::{Ipam, RawPool, RawSet};

/// A configuration that holds together.
#[derive(Debug)]
pub(crate) struct Conf {
    pub(crate) place: Place,
    /// One address of an attachment comes from each; none when the runtime was to send them and
    /// did not, as with STATUS.
    pub(crate) sets: Vec<RangeSet>,
    /// The addresses asked for in `args` and `runtimeConfig`.
    pub(crate) requested: Vec<IpAddr>,
    pub(crate) routes: Vec<Route>,
    pub(crate) resolv_conf: Option<PathBuf>,
    pub(crate) status_when_exhausted: bool,
}

impl Conf {
    pub(crate) fn of(network: &Network) -> Result<Self, Error> {
        let raw: raw::Conf = network.conf()?;
        let missing = || invalid("IPAM config missing 'ipam' key");
        let ipam = raw.ipam.ok_or_else(missing)?;
        let runtime = raw.runtime_config.unwrap_or_default();
        let args = raw.args.and_then(|args| args.cni).unwrap_or_default();
        let requested = args.ips.into_iter().chain(runtime.ips);
        Ok(Self {
            place: Place::of(network)?,
            requested: requested.filter_map(|address| address.0).collect(),
            sets: sets(runtime.ip_ranges, &ipam)?,
            routes: ipam.routes,
            resolv_conf: ipam
                .resolv_conf
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
            status_when_exhausted: ipam.status_when_exhausted.unwrap_or(false),
        })
    }

    /// The sets, for an operation that is nothing without them.
    pub(crate) fn required_sets(&self, version: Version) -> Result<&[RangeSet], Error> {
        if self.sets.is_empty() {
            return Err(invalid("no IP ranges specified"));
        }
        let v4 = self.sets.iter().filter(|set| set.is_ipv4()).count();
        if version < Version::V0_3_0 && (v4 > 1 || self.sets.len() - v4 > 1) {
            return Err(invalid(format!(
                "CNI version {version} does not support more than 1 address per family"
            )));
        }
        Ok(&self.sets)
    }
}

/// The sets in the order that numbers them: the runtime's, the single old-style range, `ranges`.
fn sets(runtime: Vec<RawSet>, ipam: &Ipam) -> Result<Vec<RangeSet>, Error> {
    let old_style = ipam.single_range().map(|pool| vec![pool]);
    let sets = runtime
        .into_iter()
        .chain(old_style)
        .chain(ipam.ranges.iter().cloned())
        .enumerate()
        .map(|(number, pools)| {
            set(pools).map_err(|error| invalid(format!("invalid range set {number}: {error}")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    ranges::check_disjoint(&sets).map_err(|error| invalid(error.to_string()))?;
    Ok(sets)
}

fn set(pools: RawSet) -> Result<RangeSet, ranges::Error> {
    let pool = |raw: RawPool| {
        Pool::new(
            raw.subnet.0,
            raw.range_start.0,
            raw.range_end.0,
            raw.gateway.0,
        )
    };
    RangeSet::new(pools.into_iter().map(pool).collect::<Result<_, _>>()?)
}

pub(crate) fn invalid(msg: impl Into<String>) -> Error {
    Error::new(Code::INVALID_CONFIG, msg)
}
