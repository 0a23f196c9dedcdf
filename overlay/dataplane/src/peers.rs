// SPDX-License-Identifier: Apache-2.0
//! The objects of the peers between the words of [`topology`] and those of [`net`]: dumps one
//! way, requests the other.

use net::{FdbEntry, Mac, Neighbour, Request, RouteEntry, Rtnl};
use topology::{Held, HeldFdbEntry, HeldNeighbour, HeldRoute, Op, PROTOCOL, Wish};

/// `RT_TABLE_MAIN` of linux/rtnetlink.h.
pub(crate) const MAIN: u32 = 254;

/// The routes of the main table of both families, whoever made them; a route that leads nowhere is
/// in the way of ours like any other.
pub(crate) fn routes(rtnl: &Rtnl) -> Result<Vec<HeldRoute>, net::Error> {
    let entries = rtnl.all_route_entries()?;
    let main = entries
        .iter()
        .filter(|entry| entry.route.table == Some(MAIN));
    Ok(main.map(held_route).collect())
}

/// What a device holds besides routes.
pub(crate) struct OnDevice {
    /// Whether that is believed and not dumped.
    pub(crate) unseen: bool,
    device: u32,
    neighbours: Vec<Neighbour>,
    fdb: Vec<FdbEntry>,
}

impl OnDevice {
    /// A dump; empty where there is no device.
    pub(crate) fn dump(rtnl: &Rtnl, device: Option<u32>) -> Result<Self, net::Error> {
        let Some(device) = device else {
            return Ok(Self {
                unseen: false,
                device: 0,
                neighbours: Vec::new(),
                fdb: Vec::new(),
            });
        };
        let mut fdb = rtnl.fdb(device)?;
        fdb.sort_unstable_by_key(|entry| entry.mac);
        Ok(Self {
            unseen: false,
            device,
            neighbours: rtnl.neighbours(device)?,
            fdb,
        })
    }

    /// What a wish has made of it, without a dump.
    pub(crate) fn by(wish: &Wish) -> Self {
        let entry = |it: &topology::FdbEntry| FdbEntry::new(wish.device, mac(it.mac), it.dst);
        let mut fdb: Vec<_> = wish.fdb.iter().map(entry).collect();
        fdb.sort_unstable_by_key(|entry| entry.mac);
        Self {
            unseen: true,
            device: wish.device,
            neighbours: Vec::new(),
            fdb,
        }
    }

    /// What there is of a wish, looked up object by object, and its routes: it costs as much as the
    /// wish is long, whatever else the kernel holds.
    pub(crate) fn look_up(rtnl: &Rtnl, wish: &Wish) -> Result<(Self, Vec<HeldRoute>), net::Error> {
        let (mut routes, mut neighbours, mut fdb) = (Vec::new(), Vec::new(), Vec::new());
        for route in &wish.routes {
            let found = rtnl.route_entry(route.dst.network())?;
            let found = found.filter(|found| found.route.table == Some(MAIN));
            routes.extend(found.as_ref().map(held_route));
        }
        for neighbour in &wish.neighbours {
            neighbours.extend(rtnl.neighbour(wish.device, neighbour.address)?);
        }
        for entry in &wish.fdb {
            fdb.extend(rtnl.fdb_entry(wish.device, mac(entry.mac))?);
        }
        let found = Self {
            unseen: false,
            device: wish.device,
            neighbours,
            fdb,
        };
        Ok((found, routes))
    }

    /// The dump, with routes, in the words of [`topology`].
    pub(crate) fn held(&self, routes: &[HeldRoute]) -> Held {
        let neighbour = |it: &Neighbour| HeldNeighbour {
            address: it.ip,
            mac: Some(topology::Mac(it.mac.octets())),
            permanent: true,
        };
        Held {
            routes: routes.to_vec(),
            neighbours: self.neighbours.iter().map(neighbour).collect(),
            fdb: self.fdb.iter().map(held_fdb_entry).collect(),
        }
    }

    /// Adds the requests that an operation takes, and says how many.
    pub(crate) fn translate(&self, op: &Op, requests: &mut Vec<Request>) -> usize {
        requests.push(match op {
            Op::SetFdbEntry(it) => Request::SetFdb(FdbEntry::new(self.device, mac(it.mac), it.dst)),
            Op::DeleteFdbEntry(it) => {
                let entries = self.fdb_entries(mac(it.mac));
                requests.extend(entries.iter().copied().map(Request::DeleteFdb));
                return entries.len();
            }
            Op::SetNeighbour(it) => Request::SetNeighbour(Neighbour {
                link: self.device,
                ip: it.address,
                mac: mac(it.mac),
            }),
            Op::DeleteNeighbour(it) => Request::DeleteNeighbour(Neighbour {
                link: self.device,
                ip: it.address,
                mac: it.mac.map(mac).unwrap_or_default(),
            }),
            Op::AddRoute(it) => Request::AddRoute(route_entry(&(*it).into())),
            Op::ReplaceRoute(it) => Request::ReplaceRoute(route_entry(&(*it).into())),
            Op::DeleteRoute(it) => Request::DeleteRoute(route_entry(it)),
        });
        1
    }

    /// All that the dump showed under a MAC address: it is sorted by it.
    fn fdb_entries(&self, mac: Mac) -> &[FdbEntry] {
        let begin = self.fdb.partition_point(|entry| entry.mac < mac);
        let length = self.fdb[begin..].partition_point(|entry| entry.mac == mac);
        &self.fdb[begin..begin + length]
    }
}

fn mac(mac: topology::Mac) -> Mac {
    Mac::new(mac.0)
}

fn held_fdb_entry(entry: &FdbEntry) -> HeldFdbEntry {
    let plain = *entry == FdbEntry::new(entry.link, entry.mac, entry.dst);
    HeldFdbEntry {
        mac: topology::Mac(entry.mac.octets()),
        dst: plain.then_some(entry.dst),
        permanent: true,
    }
}

/// A route of ours that somebody gave an MTU or the like is shown without its gateway: so it is
/// not as wished.
pub(crate) fn held_route(RouteEntry { route, protocol }: &RouteEntry) -> HeldRoute {
    let plain = route.mtu.is_none() && route.advmss.is_none() && route.source.is_none();
    HeldRoute {
        dst: route.dst,
        gateway: route.gateway.filter(|_| plain || *protocol != PROTOCOL),
        link: route.oif,
        onlink: route.onlink,
        metric: route.priority.unwrap_or(0),
        protocol: *protocol,
    }
}

fn route_entry(held: &HeldRoute) -> RouteEntry {
    RouteEntry {
        route: net::Route {
            gateway: held.gateway,
            oif: held.link,
            onlink: held.onlink,
            priority: Some(held.metric),
            ..net::Route::to(held.dst)
        },
        protocol: held.protocol,
    }
}
