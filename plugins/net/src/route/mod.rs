// SPDX-License-Identifier: Apache-2.0
//! Routes: the entries of the routing tables, and what they say about one
//! destination.

pub(crate) mod entry;
mod message;
mod plain;

use std::fmt;
use std::net::IpAddr;

use ipnetwork::IpNetwork;
use netlink_packet_core::NLM_F_CREATE;
use netlink_packet_route::route::{RouteAttribute, RouteFlags, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::errno::Errno;

use self::entry::RouteEntry;
use crate::address::family;
use crate::error::Cause;
use crate::{Error, Rtnl};

/// A unicast route. Displays as `DST [via GATEWAY]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// What it leads to; `0.0.0.0/0` and `::/0` are the default routes.
    pub dst: IpNetwork,
    /// The next hop; `None` when the destination is on the link itself.
    pub gateway: Option<IpAddr>,
    /// The index of the link that it leaves by; `None` lets the kernel find the
    /// gateway's.
    pub oif: Option<u32>,
    /// The largest packet in bytes (`RTAX_MTU`).
    pub mtu: Option<u32>,
    /// The largest TCP segment to announce, in bytes (`RTAX_ADVMSS`).
    pub advmss: Option<u32>,
    /// The metric: of two routes to a destination the lower one is taken. `None`
    /// is 0 for IPv4 and 1024 for IPv6.
    pub priority: Option<u32>,
    /// The routing table; `None` is main (254).
    pub table: Option<u32>,
    /// `RT_SCOPE_*`: 0 global, 253 link, 254 host. `None` is, as with `ip route
    /// add`, link without a gateway and global with one. IPv6 has no scopes.
    pub scope: Option<u8>,
    /// The source address of packets that have none yet.
    pub source: Option<IpAddr>,
    /// The gateway is on the link although no subnet of the link has it
    /// (`RTNH_F_ONLINK`).
    pub onlink: bool,
}

/// The tables that every namespace has (include/uapi/linux/rtnetlink.h).
const MAIN: u32 = 254;
const LOCAL: u32 = 255;

impl Route {
    /// A route to `dst` of which nothing else is said yet.
    #[must_use]
    pub const fn to(dst: IpNetwork) -> Self {
        Self {
            dst,
            gateway: None,
            oif: None,
            mtu: None,
            advmss: None,
            priority: None,
            table: None,
            scope: None,
            source: None,
            onlink: false,
        }
    }

    /// The scope that the kernel is asked for.
    fn effective_scope(&self) -> u8 {
        const GLOBAL: u8 = 0;
        const LINK: u8 = 253;
        match (self.dst, self.gateway) {
            (IpNetwork::V6(_), _) => GLOBAL,
            (_, Some(_)) => self.scope.unwrap_or(GLOBAL),
            (_, None) => self.scope.unwrap_or(LINK),
        }
    }

    fn effective_priority(&self) -> u32 {
        /// `IP6_RT_PRIO_USER` (include/net/ip6_route.h), also for an explicit 0.
        const IPV6: u32 = 1024;
        match (self.dst, self.priority.unwrap_or(0)) {
            (IpNetwork::V6(_), 0) => IPV6,
            (_, priority) => priority,
        }
    }

    /// Whether an entry of the table is what adding this route would make.
    fn is_made_by(&self, entry: &Self) -> bool {
        let key = |route: &Self| {
            let dst = (route.dst.network(), route.dst.prefix());
            let table = route.table.unwrap_or(MAIN);
            (
                dst,
                table,
                route.effective_priority(),
                route.effective_scope(),
            )
        };
        let way = |route: &Self| (route.gateway, route.onlink, route.mtu, route.advmss);
        key(self) == key(entry)
            && way(self) == way(entry)
            && (self.oif.is_none() || self.oif == entry.oif)
            && (self.source.is_none() || self.source == entry.source)
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.dst)?;
        self.gateway
            .map_or(Ok(()), |gateway| write!(f, " via {gateway}"))
    }
}

impl Rtnl {
    /// Adds a route, beside other routes to the same destination (an IPv6 route
    /// that differs in its gateway only makes a multipath route with them). A
    /// route that is there already, the same in everything, is left alone.
    /// Equal to `ip route prepend`, and to `ip -6 route append`.
    ///
    /// # Errors
    /// [`Error::is_exists`] when the kernel sees a route in the way that differs
    /// in what it doesn't look at (the metrics of an IPv6 route).
    pub fn add_route(&self, route: &Route) -> Result<(), Error> {
        let request = RouteNetlinkMessage::NewRoute(message::encode(route));
        let cause = match self.change(request, NLM_F_CREATE) {
            Ok(()) => return Ok(()),
            Err(cause) => cause,
        };
        if cause.errno() == Some(Errno::EEXIST) && self.has_route(route) {
            return Ok(());
        }
        let link = route
            .oif
            .map(|oif| format!(" by {}", self.describe(oif)))
            .unwrap_or_default();
        Err(cause.during(format!("cannot add the route to {route}{link}")))
    }

    /// The unicast routes that leave by a link, of both families and all tables
    /// but local; the kernel leaves out the others. Each next hop of a multipath
    /// route is a route here. Equal to `ip route show table all dev DEV`.
    ///
    /// # Errors
    /// [`Error::is_not_found`] when there is no such link.
    pub fn routes(&self, oif: u32) -> Result<Vec<Route>, Error> {
        let entries = self.route_entries(Some(oif), None)?;
        Ok(entries.into_iter().map(|entry| entry.route).collect())
    }

    /// The route that a packet to this address would take from here, with the
    /// source address that it would get; `None` when it would take none. Equal
    /// to `ip route get ADDRESS`.
    ///
    /// # Errors
    /// When the kernel refuses for any reason but that the address cannot be
    /// reached.
    pub fn lookup(&self, destination: IpAddr) -> Result<Option<Route>, Error> {
        let found = self
            .answers(question(destination))
            .map_err(|cause| cause.during(format!("cannot look up the route to {destination}")))?;
        Ok(found.iter().flat_map(message::decode).next())
    }

    /// What the kernel answers to a question; nothing where it lets nothing pass.
    fn answers(&self, question: RouteMessage) -> Result<Vec<RouteMessage>, Cause> {
        let messages = match self.get(RouteNetlinkMessage::GetRoute(question)) {
            Err(cause) if is_unreachable(&cause) => return Ok(Vec::new()),
            messages => messages?,
        };
        let passing = routes_in(messages)
            .filter(|answer| matches!(answer.header.kind, RouteType::Unicast | RouteType::Local));
        Ok(passing.collect())
    }

    fn has_route(&self, route: &Route) -> bool {
        let filter = Filter {
            family: family(route.dst.ip()),
            oif: route.oif,
            protocol: None,
            dead_ends: false,
        };
        self.dump_routes(filter)
            .is_ok_and(|entries| entries.iter().any(|entry| route.is_made_by(&entry.route)))
    }

    fn dump_routes(&self, filter: Filter) -> Result<Vec<RouteEntry>, Cause> {
        let mut request = RouteMessage::default();
        request.header.address_family = filter.family;
        request.header.protocol = filter.protocol.unwrap_or_default().into();
        request
            .attributes
            .extend(filter.oif.map(RouteAttribute::Oif));
        // A kernel without IPv6 answers with what it has: IPv4.
        let family = u8::from(filter.family);
        self.dump(RouteNetlinkMessage::GetRoute(request), |message| {
            let wanted = |message: &&[u8]| {
                plain::is_unicast(message, family)
                    || (filter.dead_ends && plain::is_dead_end(message, family))
            };
            let wanted = Some(message).filter(wanted);
            let usual = wanted.and_then(plain::read);
            let unusual = wanted.filter(|_| usual.is_none()).map(entry::read);
            let entries = usual.into_iter().chain(unusual.unwrap_or_default());
            entries.filter(move |entry| filter.lets_through(entry))
        })
    }
}

/// Which routes to list. The kernel filters, too, but by more than one hop of a
/// multipath route, and not at all before 4.20.
#[derive(Clone, Copy)]
struct Filter {
    family: AddressFamily,
    oif: Option<u32>,
    protocol: Option<u8>,
    /// Whether those that lead nowhere are wanted, too.
    dead_ends: bool,
}

impl Filter {
    fn lets_through(&self, entry: &RouteEntry) -> bool {
        entry.route.table != Some(LOCAL)
            && (self.oif.is_none() || self.oif == entry.route.oif)
            && self
                .protocol
                .is_none_or(|protocol| protocol == entry.protocol)
    }
}

fn routes_in(messages: Vec<RouteNetlinkMessage>) -> impl Iterator<Item = RouteMessage> {
    messages.into_iter().filter_map(|message| match message {
        RouteNetlinkMessage::NewRoute(message) => Some(message),
        _ => None,
    })
}

fn question(destination: IpAddr) -> RouteMessage {
    let mut question = RouteMessage::default();
    question.header.address_family = family(destination);
    question.header.destination_prefix_length = IpNetwork::from(destination).prefix();
    // Without it an IPv4 answer says "main", whatever table it is from; for an
    // IPv6 question the kernel refuses it, and answers with the table.
    if destination.is_ipv4() {
        question.header.flags = RouteFlags::LookupTable;
    }
    question
        .attributes
        .push(RouteAttribute::Destination(destination.into()));
    question
}

/// What a lookup answers for an `unreachable` or `prohibit` route, or none.
fn is_unreachable(cause: &Cause) -> bool {
    matches!(
        cause.errno(),
        Some(Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::EACCES)
    )
}
