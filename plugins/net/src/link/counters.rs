// SPDX-License-Identifier: Apache-2.0
//! What the kernel has counted of a link.

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use nix::errno::Errno;

use crate::error::Cause;
use crate::{Error, Rtnl};

/// What a link has carried, and what it has not, since it was made (`IFLA_STATS64`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets received.
    pub rx_packets: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets that came and were wrong.
    pub rx_errors: u64,
    /// Packets that could not be sent.
    pub tx_errors: u64,
    /// Packets that came and were dropped.
    pub rx_dropped: u64,
    /// Packets that were dropped before they were sent.
    pub tx_dropped: u64,
    /// Of those that could not be sent, those for which there was no way: of a VXLAN device, no
    /// route to the peer's address.
    pub tx_carrier_errors: u64,
}

impl Rtnl {
    /// The counters of the link with this name; none where there is no such link. Equal to
    /// `ip -s link show NAME`.
    ///
    /// # Errors
    /// When the kernel refuses for any other reason.
    pub fn counters(&self, name: &str) -> Result<Option<Counters>, Error> {
        let mut request = LinkMessage::default();
        request
            .attributes
            .push(LinkAttribute::IfName(name.to_owned()));
        let counted = match self.get(RouteNetlinkMessage::GetLink(request)) {
            Ok(messages) => messages.into_iter().find_map(counters).ok_or(Cause::Silent),
            Err(cause) if cause.errno() == Some(Errno::ENODEV) => return Ok(None),
            Err(cause) => Err(cause),
        };
        counted
            .map(Some)
            .map_err(|cause| cause.during(format!("cannot read the counters of the link {name:?}")))
    }
}

fn counters(message: RouteNetlinkMessage) -> Option<Counters> {
    let RouteNetlinkMessage::NewLink(message) = message else {
        return None;
    };
    message.attributes.iter().find_map(|attribute| {
        let LinkAttribute::Stats64(stats) = attribute else {
            return None;
        };
        Some(Counters {
            rx_packets: stats.rx_packets,
            tx_packets: stats.tx_packets,
            rx_bytes: stats.rx_bytes,
            tx_bytes: stats.tx_bytes,
            rx_errors: stats.rx_errors,
            tx_errors: stats.tx_errors,
            rx_dropped: stats.rx_dropped,
            tx_dropped: stats.tx_dropped,
            tx_carrier_errors: stats.tx_carrier_errors,
        })
    })
}
