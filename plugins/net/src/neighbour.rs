// SPDX-License-Identifier: Apache-2.0
//! Permanent neighbours: which MAC address an IP address on a link has, said
//! once instead of asked for by ARP (RFC 826) or neighbour discovery (RFC 4861).

use std::net::IpAddr;

use netlink_packet_core::Parseable;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use nix::errno::Errno;

use crate::address::family;
use crate::error::Cause;
use crate::{Error, Mac, Rtnl};

/// A permanent neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The index of the link that it is on.
    pub link: u32,
    /// Its IP address.
    pub ip: IpAddr,
    /// Its MAC address.
    pub mac: Mac,
}

impl Rtnl {
    /// The permanent neighbours on a link, both families, not what the kernel
    /// found out by itself; the kernel leaves out those on other links. None
    /// where there is no such link. Equal to `ip neighbour show dev DEV nud
    /// permanent`. They are made and deleted by [`Rtnl::apply`].
    ///
    /// # Errors
    /// When the kernel refuses, or the list changes as fast as it is read.
    pub fn neighbours(&self, link: u32) -> Result<Vec<Neighbour>, Error> {
        let mut request = NeighbourMessage::default();
        request.attributes.push(NeighbourAttribute::IfIndex(link));
        let entries = self.permanent_on(link, request, decode);
        entries.map_err(|cause| {
            cause.during(format!(
                "cannot list the neighbours on {}",
                self.describe(link)
            ))
        })
    }

    /// The permanent neighbour with this address on a link. Equal to `ip
    /// neighbour get ADDRESS dev DEV`.
    ///
    /// # Errors
    /// When there is no such link, or the kernel is older than 5.0.
    pub fn neighbour(&self, link: u32, ip: IpAddr) -> Result<Option<Neighbour>, Error> {
        let mut request = NeighbourMessage::default();
        request.header.family = family(ip);
        request.header.ifindex = link;
        let destination = NeighbourAttribute::Destination(ip.into());
        request.attributes.push(destination);
        let found = self.get_neighbour(request).map_err(|cause| {
            let link = self.describe(link);
            cause.during(format!("cannot look up the neighbour {ip} on {link}"))
        })?;
        let found = found.filter(|it| is_permanent_on(link, it));
        Ok(found
            .as_ref()
            .and_then(decode)
            .filter(|neighbour| neighbour.ip == ip))
    }

    /// What `decode` makes of the permanent entries of a link that a request
    /// asks for.
    pub(crate) fn permanent_on<T: PartialEq>(
        &self,
        link: u32,
        request: NeighbourMessage,
        decode: impl Fn(&NeighbourMessage) -> Option<T>,
    ) -> Result<Vec<T>, Cause> {
        let request = RouteNetlinkMessage::GetNeighbour(request);
        self.dump(request, |message| {
            let message = NeighbourMessage::parse(message).ok();
            let message = message.filter(|it| is_permanent_on(link, it));
            message.as_ref().and_then(&decode)
        })
    }

    /// The one entry that a request names, if it is there.
    pub(crate) fn get_neighbour(
        &self,
        request: NeighbourMessage,
    ) -> Result<Option<NeighbourMessage>, Cause> {
        let messages = match self.get(RouteNetlinkMessage::GetNeighbour(request)) {
            Err(cause) if cause.errno() == Some(Errno::ENOENT) => return Ok(None),
            messages => messages?,
        };
        Ok(messages.into_iter().find_map(|message| match message {
            RouteNetlinkMessage::NewNeighbour(message) => Some(message),
            _ => None,
        }))
    }
}

/// Whether an entry is a permanent one of a link.
pub(crate) fn is_permanent_on(link: u32, entry: &NeighbourMessage) -> bool {
    let permanent = u16::from(NeighbourState::Permanent);
    entry.header.ifindex == link && u16::from(entry.header.state) & permanent != 0
}

/// The message that makes a neighbour, or names it.
pub(crate) fn encode(neighbour: &Neighbour) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family(neighbour.ip);
    message.header.ifindex = neighbour.link;
    message.header.state = NeighbourState::Permanent;
    message.attributes = vec![
        NeighbourAttribute::Destination(neighbour.ip.into()),
        NeighbourAttribute::LinkLayerAddress(neighbour.mac.octets().to_vec()),
    ];
    message
}

/// The address of a neighbour, or the underlay address of an FDB entry
/// (`NDA_DST` of include/uapi/linux/neighbour.h).
pub(crate) fn destination(message: &NeighbourMessage) -> Option<IpAddr> {
    message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            NeighbourAttribute::Destination(address) => ip(address),
            _ => None,
        })
}

fn decode(message: &NeighbourMessage) -> Option<Neighbour> {
    let ip = destination(message)?;
    Some(Neighbour {
        link: message.header.ifindex,
        ip,
        mac: mac(message)?,
    })
}

/// The MAC address that an entry is about.
pub(crate) fn mac(message: &NeighbourMessage) -> Option<Mac> {
    message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            NeighbourAttribute::LinkLayerAddress(bytes) => {
                <[u8; 6]>::try_from(bytes.as_slice()).ok().map(Mac::new)
            }
            _ => None,
        })
}

/// The IP address; in entries of a bridge's family its length tells which kind.
fn ip(address: &NeighbourAddress) -> Option<IpAddr> {
    match address {
        NeighbourAddress::Inet(v4) => Some((*v4).into()),
        NeighbourAddress::Inet6(v6) => Some((*v6).into()),
        NeighbourAddress::Other(bytes) => {
            let v4 = <[u8; 4]>::try_from(bytes.as_slice()).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(bytes.as_slice()).map(IpAddr::from))
                .ok()
        }
        _ => None,
    }
}
