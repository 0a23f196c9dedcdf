// SPDX-License-Identifier: Apache-2.0
//! The link that carries the encapsulated packets, looked up anew at each call: its address, its
//! MTU and its subnets are other people's and change.

use std::collections::BTreeSet;

use ipnetwork::IpNetwork;
use net::{Address, Link};
use topology::{Family, MtuTooSmall, Overlay, Settings, Subnet};

use crate::{Dataplane, Error};

/// The link that carries the encapsulated packets of one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Underlay {
    /// The family of the overlay.
    pub family: Family,
    /// The link's index.
    pub index: u32,
    /// The link's name.
    pub name: String,
    /// The link's MTU in bytes.
    pub mtu: u32,
    /// Whether the link is set up.
    pub up: bool,
    /// The subnets of the link's addresses of this family, without link-local ones; sorted. They
    /// stay when an address of several in one gives way to another, as IPv6's private ones do.
    pub subnets: Vec<IpNetwork>,
}

impl Underlay {
    /// Finds it by [`Settings::underlay`], or else by this node's underlay address, which in either
    /// case has to be among the addresses of all links.
    pub(crate) fn of(
        dataplane: &Dataplane<'_>,
        overlay: &Overlay,
        addresses: &[(u32, Address)],
    ) -> Result<Self, Error> {
        let link = carrier(dataplane, overlay, addresses)?;
        let family = overlay.family();
        if link.loopback {
            return Err(Error::UnderlayIsLoopback {
                family,
                address: overlay.own().underlay,
                link: link.name,
            });
        }
        Ok(Self {
            family,
            index: link.index,
            name: link.name,
            mtu: link.mtu,
            up: link.up,
            subnets: subnets(family, link.index, addresses),
        })
    }

    /// The MTU in bytes of the VXLAN device above.
    ///
    /// # Errors
    /// When the underlay's packets are too small for an overlay.
    pub fn device_mtu(&self, settings: &Settings) -> Result<u32, MtuTooSmall> {
        let configured = settings.mtu.map_or(u32::MAX, u32::from);
        self.family.device_mtu(self.mtu.min(configured))
    }

    /// Where peers are reached without encapsulation. None while the link is down: the kernel
    /// takes no route by it then.
    pub(crate) fn direct(&self, settings: &Settings) -> Vec<Subnet> {
        if !settings.direct_routing || !self.up {
            return Vec::new();
        }
        let subnet = |network: &IpNetwork| Subnet {
            network: *network,
            link: self.index,
        };
        self.subnets.iter().map(subnet).collect()
    }
}

/// The link that packets leave by.
fn carrier(
    dataplane: &Dataplane<'_>,
    overlay: &Overlay,
    addresses: &[(u32, Address)],
) -> Result<Link, Error> {
    let (family, address) = (overlay.family(), overlay.own().underlay);
    let mut holders = addresses.iter();
    let holder = holders.find(|(_, held)| held.network.ip() == address);
    let &(index, _) = holder.ok_or(Error::NoUnderlay { family, address })?;
    let link = match &dataplane.settings.underlay {
        Some(name) => dataplane.rtnl.link(name)?,
        None => dataplane.rtnl.link_at(index)?,
    };
    link.ok_or_else(|| match &dataplane.settings.underlay {
        Some(name) => Error::NoUnderlayLink {
            family,
            link: name.clone(),
        },
        None => Error::NoUnderlay { family, address },
    })
}

fn subnets(family: Family, link: u32, addresses: &[(u32, Address)]) -> Vec<IpNetwork> {
    let of_link = addresses.iter().filter(|(index, address)| {
        *index == link && Family::of_network(address.network) == family && !address.link_local
    });
    let subnets: BTreeSet<_> = of_link
        .map(|(_, address)| without_host_bits(address.network))
        .collect();
    subnets.into_iter().collect()
}

/// An address's network without its host bits.
fn without_host_bits(address: IpNetwork) -> IpNetwork {
    IpNetwork::new(address.network(), address.prefix()).expect("the prefix that it has")
}
