// SPDX-License-Identifier: Apache-2.0
//! The link that carries the encapsulated packets, looked up anew at each call: its address, its
//! MTU and its subnets are other people's and change.

use net::{Address, Link, Rtnl};
use topology::{Family, MtuTooSmall, Overlay, Settings, Subnet};

use crate::Error;

/// The link with the node's underlay address.
pub(crate) struct Underlay {
    pub(crate) link: Link,
    family: Family,
    addresses: Vec<Address>,
}

impl Underlay {
    pub(crate) fn of(rtnl: &Rtnl, overlay: &Overlay) -> Result<Self, Error> {
        let (family, address) = (overlay.family(), overlay.own().underlay);
        let link = rtnl.holder(address)?;
        let link = link.ok_or(Error::NoUnderlay { family, address })?;
        if link.loopback {
            return Err(Error::UnderlayIsLoopback {
                family,
                address,
                link: link.name,
            });
        }
        Ok(Self {
            family,
            addresses: rtnl.addresses(link.index)?,
            link,
        })
    }

    /// The MTU in bytes of the VXLAN device above.
    pub(crate) fn device_mtu(&self, settings: &Settings) -> Result<u32, MtuTooSmall> {
        let configured = settings.mtu.map_or(u32::MAX, u32::from);
        self.family.device_mtu(self.link.mtu.min(configured))
    }

    /// Where peers are reached without encapsulation. None while the link is down: the kernel
    /// takes no route by it then.
    pub(crate) fn direct(&self, settings: &Settings) -> Vec<Subnet> {
        if !settings.direct_routing || !self.link.up {
            return Vec::new();
        }
        let of_family = self.addresses.iter().filter(|address| {
            Family::of_network(address.network) == self.family && !address.link_local
        });
        let subnet = |address: &Address| Subnet {
            network: address.network,
            link: self.link.index,
        };
        of_family.map(subnet).collect()
    }
}
