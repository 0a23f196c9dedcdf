// SPDX-License-Identifier: Apache-2.0
//! What of the host the wish depends on. Others change it; two looks that are equal say that
//! nothing has to be decided anew.

use std::collections::BTreeSet;

use net::{Address, Link, Rtnl};
use topology::{Cluster, Family, Overlay};

use crate::{Dataplane, Error, Underlay};

/// What of the host the wish depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// The links that carry the encapsulated packets, by family: those that can.
    pub underlays: Vec<Underlay>,
    /// Why a family has no such link: a sentence each.
    pub lacking: Vec<String>,
    /// The names of the links, sorted, behind which are this node's own pods: they have an address
    /// within its pod CIDRs. The overlay's own devices, the underlay's links and `lo` are none.
    pub bridges: Vec<String>,
}

impl Surroundings {
    pub(crate) fn of(dataplane: &Dataplane<'_>, cluster: &Cluster) -> Result<Self, Error> {
        let addresses = dataplane.rtnl.all_addresses()?;
        let (mut underlays, mut lacking) = (Vec::new(), Vec::new());
        for overlay in cluster.overlays() {
            match usable(dataplane, overlay, &addresses) {
                Ok(underlay) => underlays.push(underlay),
                Err(Error::Kernel(error)) => return Err(error.into()),
                Err(error) => lacking.push(error.to_string()),
            }
        }
        let found = Self::with(dataplane, cluster, &addresses, underlays, &[])?;
        Ok(Self { lacking, ..found })
    }

    /// With these underlays and the bridges that there are; the links in `known` are none.
    pub(crate) fn with(
        dataplane: &Dataplane<'_>,
        cluster: &Cluster,
        addresses: &[(u32, Address)],
        underlays: Vec<Underlay>,
        known: &[u32],
    ) -> Result<Self, Error> {
        let mut not: BTreeSet<u32> = underlays.iter().map(|underlay| underlay.index).collect();
        not.extend(known);
        let devices = Family::ALL.map(|family| dataplane.device_name(family));
        let mut bridges = Vec::new();
        for link in links_with_pods(dataplane.rtnl, cluster, addresses, &not)? {
            if !(link.loopback || devices.contains(&link.name)) {
                bridges.push(link.name);
            }
        }
        bridges.sort_unstable();
        Ok(Self {
            underlays,
            lacking: Vec::new(),
            bridges,
        })
    }
}

/// The underlay of a family, if its packets are large enough.
fn usable(
    dataplane: &Dataplane<'_>,
    overlay: &Overlay,
    addresses: &[(u32, Address)],
) -> Result<Underlay, Error> {
    let underlay = Underlay::of(dataplane, overlay, addresses)?;
    underlay.device_mtu(dataplane.settings)?;
    Ok(underlay)
}

/// The links with an address within this node's own pod CIDRs, but for those in `not`.
fn links_with_pods(
    rtnl: &Rtnl,
    cluster: &Cluster,
    addresses: &[(u32, Address)],
    not: &BTreeSet<u32>,
) -> Result<Vec<Link>, Error> {
    let is_within = |(_, address): &&(u32, Address)| {
        let mut own = cluster
            .overlays()
            .iter()
            .flat_map(|overlay| &overlay.own().pod_cidrs);
        own.any(|cidr| cidr.contains(address.network.ip()))
    };
    let holders: BTreeSet<u32> = addresses
        .iter()
        .filter(is_within)
        .map(|(index, _)| *index)
        .filter(|index| !not.contains(index))
        .collect();
    let mut links = Vec::new();
    for index in holders {
        // One that is gone meanwhile is none.
        links.extend(rtnl.link_at(index)?);
    }
    Ok(links)
}
