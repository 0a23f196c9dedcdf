// SPDX-License-Identifier: Apache-2.0
//! The forwarding database of a VXLAN device: which peer of the underlay a MAC
//! address is behind (drivers/net/vxlan/vxlan_core.c).

use std::net::IpAddr;

use netlink_packet_route::AddressFamily;
use netlink_packet_route::neighbour::{
    NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};

use crate::neighbour::{destination, is_permanent_on, mac};
use crate::{Error, Mac, Rtnl};

/// A permanent entry of a VXLAN device's own forwarding database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FdbEntry {
    /// The index of the device.
    pub link: u32,
    /// The MAC address of the inner frame's destination.
    pub mac: Mac,
    /// The underlay address to send it to.
    pub dst: IpAddr,
    /// The UDP port to send it to; `None` for the device's.
    pub port: Option<u16>,
    /// The VNI to send it with; `None` for the device's.
    pub vni: Option<u32>,
    /// The index of the link to send it by; `None` for the device's.
    pub via: Option<u32>,
}

impl FdbEntry {
    /// An entry that for everything else relies on the device's own settings.
    #[must_use]
    pub const fn new(link: u32, mac: Mac, dst: IpAddr) -> Self {
        Self {
            link,
            mac,
            dst,
            port: None,
            vni: None,
            via: None,
        }
    }
}

impl Rtnl {
    /// The permanent entries of a VXLAN device's forwarding database, not what
    /// it learned; the kernel leaves out those of other devices. None where
    /// there is no such link. Equal to `bridge fdb show dev DEV`. They are made
    /// and deleted by [`Rtnl::apply`].
    ///
    /// # Errors
    /// When the kernel refuses, or the list changes as fast as it is read.
    pub fn fdb(&self, link: u32) -> Result<Vec<FdbEntry>, Error> {
        let mut request = NeighbourMessage::default();
        request.header.family = AddressFamily::Bridge;
        request.header.ifindex = link;
        let entries = self.permanent_on(link, request, decode);
        entries.map_err(|cause| {
            cause.during(format!(
                "cannot list the forwarding database of {}",
                self.describe(link)
            ))
        })
    }

    /// The permanent entry of a VXLAN device's forwarding database for a MAC
    /// address; of several the first. Equal to `bridge fdb get MAC dev DEV self`.
    ///
    /// # Errors
    /// When there is no such link, or the kernel is older than 5.0.
    pub fn fdb_entry(&self, link: u32, mac: Mac) -> Result<Option<FdbEntry>, Error> {
        let mut request = NeighbourMessage::default();
        request.header.family = AddressFamily::Bridge;
        request.header.ifindex = link;
        request.header.flags = NeighbourFlags::Own;
        let address = NeighbourAttribute::LinkLayerAddress(mac.octets().to_vec());
        request.attributes.push(address);
        let found = self.get_neighbour(request).map_err(|cause| {
            let link = self.describe(link);
            cause.during(format!(
                "cannot look up the forwarding entry {mac} of {link}"
            ))
        })?;
        let found = found.filter(|it| is_permanent_on(link, it));
        Ok(found.as_ref().and_then(decode))
    }
}

/// The message that makes an entry, or names it.
pub(crate) fn encode(entry: &FdbEntry) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Bridge;
    message.header.ifindex = entry.link;
    message.header.state = NeighbourState::Permanent;
    message.header.flags = NeighbourFlags::Own;
    let attributes = &mut message.attributes;
    attributes.push(NeighbourAttribute::LinkLayerAddress(
        entry.mac.octets().to_vec(),
    ));
    attributes.push(NeighbourAttribute::Destination(entry.dst.into()));
    attributes.extend(entry.port.map(NeighbourAttribute::Port));
    attributes.extend(entry.vni.map(NeighbourAttribute::Vni));
    attributes.extend(entry.via.map(NeighbourAttribute::IfIndex));
    message
}

/// `None` for an entry without an underlay address: of a nexthop group, or of a
/// device that is no VXLAN.
fn decode(message: &NeighbourMessage) -> Option<FdbEntry> {
    let dst = destination(message)?;
    let mut entry = FdbEntry::new(message.header.ifindex, mac(message)?, dst);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Port(port) => entry.port = Some(*port),
            NeighbourAttribute::Vni(vni) => entry.vni = Some(*vni),
            NeighbourAttribute::IfIndex(index) => entry.via = Some(*index),
            _ => {}
        }
    }
    Some(entry)
}
