// SPDX-License-Identifier: Apache-2.0
//! Routes together with who made them, so that each program can tell its own
//! routes from everybody else's.

use std::net::IpAddr;

use netlink_packet_core::Parseable;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{RouteFlags, RouteMessage, RouteScope};

use super::{Filter, Route, message, question};
use crate::{Error, Rtnl};

/// A route and its protocol number: who made it (`rtm_protocol`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteEntry {
    /// The route.
    pub route: Route,
    /// `RTPROT_*` of include/uapi/linux/rtnetlink.h, or a number of one's own:
    /// 2 is the kernel, 3 is who gave none (`ip route`, [`Rtnl::add_route`]).
    pub protocol: u8,
}

impl Rtnl {
    /// The unicast routes that leave by a link, that a protocol made, or both,
    /// of both families and all tables but local; the kernel leaves out the
    /// others. Each next hop of a multipath route is a route here. Equal to `ip
    /// route show table all [dev DEV] [proto PROTOCOL]`.
    ///
    /// # Errors
    /// [`Error::is_not_found`] when there is no such link.
    pub fn route_entries(
        &self,
        oif: Option<u32>,
        protocol: Option<u8>,
    ) -> Result<Vec<RouteEntry>, Error> {
        self.list_entries(oif, protocol, false)
    }

    /// The same by all links and of all protocols, and beside the unicast routes
    /// those that lead nowhere (`blackhole`, `unreachable`, `prohibit`, `throw`),
    /// which have no gateway. Equal to `ip route show table all`.
    ///
    /// # Errors
    /// When the kernel refuses, or the list changes as fast as it is read.
    pub fn all_route_entries(&self) -> Result<Vec<RouteEntry>, Error> {
        self.list_entries(None, None, true)
    }

    fn list_entries(
        &self,
        oif: Option<u32>,
        protocol: Option<u8>,
        dead_ends: bool,
    ) -> Result<Vec<RouteEntry>, Error> {
        let mut entries = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let filter = Filter {
                family,
                oif,
                protocol,
                dead_ends,
            };
            let of_family = self.dump_routes(filter).map_err(|cause| {
                let by = oif.map(|oif| format!(" by {}", self.describe(oif)));
                let of = protocol.map(|protocol| format!(" of protocol {protocol}"));
                cause.during(format!(
                    "cannot list the routes{}{}",
                    of.unwrap_or_default(),
                    by.unwrap_or_default()
                ))
            })?;
            entries.extend(of_family);
        }
        Ok(entries)
    }

    /// The entry of the tables by which a packet to this address would go; `None`
    /// when none would take it. Equal to `ip route get fibmatch ADDRESS`.
    ///
    /// # Errors
    /// When the kernel refuses for any reason but that the address cannot be
    /// reached.
    pub fn route_entry(&self, destination: IpAddr) -> Result<Option<RouteEntry>, Error> {
        let mut request = question(destination);
        request.header.flags |= RouteFlags::FibMatch;
        let found = self
            .answers(request)
            .map_err(|cause| cause.during(format!("cannot look up the entry for {destination}")))?;
        Ok(found.iter().flat_map(entries).next())
    }
}

/// The entries that a message of the kernel's stands for, given as its bytes.
pub(super) fn read(message: &[u8]) -> Vec<RouteEntry> {
    let message = RouteMessage::parse(message).ok();
    message.iter().flat_map(entries).collect()
}

/// The entries that a message of the kernel's stands for.
pub(super) fn entries(message: &RouteMessage) -> impl Iterator<Item = RouteEntry> + use<> {
    let protocol = message.header.protocol.into();
    let routes = message::decode(message).into_iter();
    routes.map(move |route| RouteEntry { route, protocol })
}

impl RouteEntry {
    /// The message that adds it.
    pub(crate) fn to_add(self) -> RouteMessage {
        let mut message = message::encode(&self.route);
        message.header.protocol = self.protocol.into();
        message
    }

    /// The message that deletes it. What the route does not say is not compared.
    pub(crate) fn to_delete(self) -> RouteMessage {
        let mut message = self.to_add();
        if self.route.scope.is_none() {
            message.header.scope = RouteScope::NoWhere;
        }
        message
    }
}
