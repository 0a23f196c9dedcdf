// SPDX-License-Identifier: Apache-2.0
//! What the kernel holds, as dumps show it.

use std::fmt;
use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::wish::PROTOCOL;
use crate::{FdbEntry, Mac, Neighbour, Route, Wish};

/// The objects of one family that dumps showed, in the dumps' order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The routes of the main table. At least those with [`PROTOCOL`] and those
    /// through the VXLAN device; others' obstacles are seen where the dump shows them.
    pub routes: Vec<HeldRoute>,
    /// The VXLAN device's neighbours.
    pub neighbours: Vec<HeldNeighbour>,
    /// The VXLAN device's forwarding table.
    pub fdb: Vec<HeldFdbEntry>,
}

/// What dumps show when a wish has been made.
impl From<&Wish> for Held {
    fn from(wish: &Wish) -> Self {
        Self {
            routes: wish.routes.iter().copied().map(Into::into).collect(),
            neighbours: wish.neighbours.iter().copied().map(Into::into).collect(),
            fdb: wish.fdb.iter().copied().map(Into::into).collect(),
        }
    }
}

/// A route of the main table, whoever made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HeldRoute {
    /// The destination.
    pub dst: IpNetwork,
    /// The next hop; none where there is not exactly one.
    pub gateway: Option<IpAddr>,
    /// The index of the link; none where there is not exactly one.
    pub link: Option<u32>,
    /// Whether the next hop is on the link though no address of the link says so: `RTNH_F_ONLINK`.
    pub onlink: bool,
    /// The metric; for IPv6 1024 if none was given.
    pub metric: u32,
    /// Who made it: `RTPROT_*` of linux/rtnetlink.h.
    pub protocol: u8,
}

impl HeldRoute {
    pub(super) fn is(&self, wish: &Route) -> bool {
        *self == Self::from(*wish)
    }
}

/// What the kernel shows when the route has been made.
impl From<Route> for HeldRoute {
    fn from(route: Route) -> Self {
        Self {
            dst: route.dst,
            gateway: Some(route.gateway),
            link: Some(route.link),
            onlink: route.onlink,
            metric: route.metric,
            protocol: PROTOCOL,
        }
    }
}

/// In the words of `ip route`, with the link's index instead of its name.
impl fmt::Display for HeldRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.dst.fmt(f)?;
        if let Some(gateway) = self.gateway {
            write!(f, " via {gateway}")?;
        }
        if let Some(link) = self.link {
            write!(f, " link {link}")?;
        }
        if self.onlink {
            f.write_str(" onlink")?;
        }
        write!(f, " metric {} proto {}", self.metric, self.protocol)
    }
}

/// A neighbour on the VXLAN device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HeldNeighbour {
    /// Its address.
    pub address: IpAddr,
    /// Its MAC address; none while the kernel knows none.
    pub mac: Option<Mac>,
    /// Whether it is `NUD_PERMANENT`; others come and go without us.
    pub permanent: bool,
}

impl HeldNeighbour {
    pub(super) fn is(&self, wish: &Neighbour) -> bool {
        *self == Self::from(*wish)
    }
}

/// What the kernel shows when the neighbour has been made.
impl From<Neighbour> for HeldNeighbour {
    fn from(neighbour: Neighbour) -> Self {
        Self {
            address: neighbour.address,
            mac: Some(neighbour.mac),
            permanent: true,
        }
    }
}

/// An entry of the VXLAN device's forwarding table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HeldFdbEntry {
    /// Its MAC address.
    pub mac: Mac,
    /// Where frames to it go; none when that is anything but one address with the device's own
    /// port and VNI.
    pub dst: Option<IpAddr>,
    /// Whether it is `NUD_PERMANENT`; others were learned.
    pub permanent: bool,
}

impl HeldFdbEntry {
    pub(super) fn is(&self, wish: &FdbEntry) -> bool {
        *self == Self::from(*wish)
    }

    /// Whether it can have been made for a peer: not for a group, nor for all unknown addresses.
    pub(super) fn is_ours(&self) -> bool {
        self.permanent && self.mac.is_unicast()
    }
}

/// What the kernel shows when the entry has been made.
impl From<FdbEntry> for HeldFdbEntry {
    fn from(entry: FdbEntry) -> Self {
        Self {
            mac: entry.mac,
            dst: Some(entry.dst),
            permanent: true,
        }
    }
}
