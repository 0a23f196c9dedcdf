// SPDX-License-Identifier: Apache-2.0
//! Addresses of links.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnetwork::IpNetwork;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, Parseable};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::MulticastGroup;

use crate::error::Cause;
use crate::{Error, Rtnl};

/// An address of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address itself, with the prefix length of its subnet.
    pub network: IpNetwork,
    /// `IFA_F_TENTATIVE`: duplicate address detection (RFC 4862) has not ended;
    /// the address cannot be used yet.
    pub tentative: bool,
    /// `IFA_F_DADFAILED`: another host has it.
    pub dad_failed: bool,
    /// Whether it is an IPv6 link-local address (fe80::/10), such as the kernel
    /// gives a link by itself.
    pub link_local: bool,
    /// `IFA_F_DEPRECATED`: its preferred lifetime is over; nothing new is to begin from it.
    pub deprecated: bool,
    /// `IFA_F_SECONDARY`: an IPv4 address that is not the first one of its subnet, or an IPv6 one
    /// that is temporary (RFC 8981).
    pub secondary: bool,
}

impl Rtnl {
    /// The addresses of a link, both families; the kernel leaves out those of
    /// other links. Equal to `ip address show dev DEV`.
    ///
    /// # Errors
    /// [`Error::is_not_found`] when there is no such link.
    pub fn addresses(&self, index: u32) -> Result<Vec<Address>, Error> {
        let mut request = AddressMessage::default();
        request.header.index = index;
        let messages = self.dump_addresses(request).map_err(|cause| {
            cause.during(format!(
                "cannot list the addresses of {}",
                self.describe(index)
            ))
        })?;
        let of_link = messages
            .iter()
            .filter(|message| message.header.index == index);
        Ok(of_link.filter_map(address).collect())
    }

    /// The addresses of all links, both families, each with its link's index.
    /// Equal to `ip address show`.
    ///
    /// # Errors
    /// When the kernel refuses, or the list changes as fast as it is read.
    pub fn all_addresses(&self) -> Result<Vec<(u32, Address)>, Error> {
        let messages = self
            .dump_addresses(AddressMessage::default())
            .map_err(|cause| cause.during("cannot list the addresses of all links"))?;
        let of_link = |message| address(message).map(|address| (message.header.index, address));
        Ok(messages.iter().filter_map(of_link).collect())
    }

    fn dump_addresses(&self, request: AddressMessage) -> Result<Vec<AddressMessage>, Cause> {
        let request = RouteNetlinkMessage::GetAddress(request);
        self.dump(request, |message| AddressMessage::parse(message).ok())
    }

    /// Gives a link an address, and with it the route to its subnet. Equal to
    /// `ip address add ADDRESS brd + dev DEV [nodad]`.
    ///
    /// With `nodad` an IPv6 address can be used at once; without, the kernel
    /// first asks the link for a second or two whether another host has it.
    ///
    /// # Errors
    /// [`Error::is_exists`] when the link has the address already.
    pub fn add_address(&self, index: u32, address: IpNetwork, nodad: bool) -> Result<(), Error> {
        let mut message = message(index, address);
        if nodad && address.is_ipv6() {
            message.header.flags |= AddressHeaderFlags::Nodad;
        }
        self.give(message, address)
    }

    /// Gives a link an address without a route to its subnet. Equal to `ip address add ADDRESS brd
    /// + dev DEV noprefixroute [nodad]`. See [`Rtnl::add_address`].
    ///
    /// # Errors
    /// As for [`Rtnl::add_address`].
    pub fn add_lone_address(
        &self,
        index: u32,
        address: IpNetwork,
        nodad: bool,
    ) -> Result<(), Error> {
        let mut message = message(index, address);
        let mut flags = AddressFlags::Noprefixroute;
        flags.set(AddressFlags::Nodad, nodad && address.is_ipv6());
        message.attributes.push(AddressAttribute::Flags(flags));
        self.give(message, address)
    }

    fn give(&self, mut message: AddressMessage, address: IpNetwork) -> Result<(), Error> {
        if let Some(broadcast) = broadcast(address) {
            message
                .attributes
                .push(AddressAttribute::Broadcast(broadcast));
        }
        let index = message.header.index;
        self.change(
            RouteNetlinkMessage::NewAddress(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
        .map_err(|cause| cause.during(format!("cannot give {} {address}", self.describe(index))))
    }

    /// Waits until duplicate address detection has ended for every address of a
    /// link, but not longer than `limit`. Returns the addresses as they are then.
    ///
    /// # Errors
    /// As for [`Rtnl::addresses`].
    pub fn wait_settled(&self, index: u32, limit: Duration) -> Result<Vec<Address>, Error> {
        let mut addresses = Vec::new();
        self.watch(MulticastGroup::Ipv6Ifaddr, limit, || {
            addresses = self.addresses(index)?;
            Ok(addresses.iter().all(Address::is_settled))
        })?;
        Ok(addresses)
    }

    /// Takes an address from a link. Equal to `ip address del ADDRESS dev DEV`.
    ///
    /// # Errors
    /// [`Error::is_not_found`] when the link does not have it.
    pub fn delete_address(&self, index: u32, address: IpNetwork) -> Result<(), Error> {
        let message = RouteNetlinkMessage::DelAddress(message(index, address));
        self.change(message, 0).map_err(|cause| {
            cause.during(format!(
                "cannot take {address} from {}",
                self.describe(index)
            ))
        })
    }
}

impl Address {
    /// Whether duplicate address detection has ended, one way or the other.
    fn is_settled(&self) -> bool {
        !self.tentative || self.dad_failed
    }
}

fn message(index: u32, address: IpNetwork) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(address.ip());
    message.header.prefix_len = address.prefix();
    message.header.index = index;
    message
        .attributes
        .push(AddressAttribute::Local(address.ip()));
    message
        .attributes
        .push(AddressAttribute::Address(address.ip()));
    message
}

/// The family in whose messages an address travels.
pub(crate) fn family(ip: IpAddr) -> AddressFamily {
    match ip {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

/// A /31 has two hosts and no broadcast address (RFC 3021), a /32 neither.
fn broadcast(address: IpNetwork) -> Option<Ipv4Addr> {
    match address {
        IpNetwork::V4(v4) if v4.prefix() <= 30 => Some(v4.broadcast()),
        _ => None,
    }
}

fn address(message: &AddressMessage) -> Option<Address> {
    let mut flags = AddressFlags::from_bits_retain(message.header.flags.bits().into());
    let (mut local, mut peer) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Address(ip) => peer = Some(*ip),
            AddressAttribute::Flags(all) => flags = *all,
            _ => {}
        }
    }
    let ip = local.or(peer)?;
    Some(Address {
        network: IpNetwork::new(ip, message.header.prefix_len).ok()?,
        tentative: flags.contains(AddressFlags::Tentative),
        dad_failed: flags.contains(AddressFlags::Dadfailed),
        link_local: matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local()),
        deprecated: flags.contains(AddressFlags::Deprecated),
        secondary: flags.contains(AddressFlags::Secondary),
    })
}
