// SPDX-License-Identifier: Apache-2.0
//! A model of the kernel's three tables that refuses what the kernel refuses, and in which a
//! packet's way can be looked at after every single request.

use std::collections::BTreeMap;

use ipnetwork::IpNetwork;

use super::*;

/// What the tables hold, keyed as the kernel keys them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Kernel {
    /// In the order of the dump; several routes can have one destination and metric.
    pub(super) routes: Vec<HeldRoute>,
    pub(super) neighbours: BTreeMap<IpAddr, HeldNeighbour>,
    pub(super) fdb: BTreeMap<Mac, HeldFdbEntry>,
}

impl Kernel {
    pub(super) fn new(held: &Held) -> Self {
        let neighbours = held.neighbours.iter().map(|it| (it.address, *it));
        Self {
            routes: held.routes.clone(),
            neighbours: neighbours.collect(),
            fdb: held.fdb.iter().map(|it| (it.mac, *it)).collect(),
        }
    }

    pub(super) fn dump(&self) -> Held {
        Held {
            routes: self.routes.clone(),
            neighbours: self.neighbours.values().copied().collect(),
            fdb: self.fdb.values().copied().collect(),
        }
    }

    pub(super) fn apply(&mut self, op: &Op) {
        match op {
            Op::SetFdbEntry(entry) => drop(self.fdb.insert(entry.mac, (*entry).into())),
            Op::SetNeighbour(it) => drop(self.neighbours.insert(it.address, (*it).into())),
            Op::AddRoute(route) => {
                assert_eq!(self.position(route), None, "EEXIST");
                self.routes.push((*route).into());
            }
            Op::ReplaceRoute(route) => {
                let first = self.position(route).expect("it is said to be there");
                self.routes[first] = (*route).into();
                if let IpNetwork::V6(_) = route.dst {
                    let key = (route.dst, route.metric);
                    let sibling = |held: &HeldRoute| (held.dst, held.metric) == key;
                    self.routes.retain(|held| !sibling(held) || held.is(route));
                }
            }
            Op::DeleteRoute(route) => {
                let index = self.routes.iter().position(|held| held == route);
                match index {
                    Some(index) => drop(self.routes.remove(index)),
                    None => assert!(route.dst.is_ipv6(), "ESRCH"),
                }
            }
            Op::DeleteNeighbour(it) => {
                assert!(self.neighbours.remove(&it.address).is_some(), "ENOENT");
            }
            Op::DeleteFdbEntry(entry) => {
                assert!(self.fdb.remove(&entry.mac).is_some(), "ENOENT");
            }
        }
    }

    fn position(&self, route: &Route) -> Option<usize> {
        let key = (route.dst, route.metric);
        self.routes
            .iter()
            .position(|held| (held.dst, held.metric) == key)
    }

    /// Where the device sends packets with this next hop: none while they are dropped.
    pub(super) fn destination(&self, gateway: IpAddr) -> Option<IpAddr> {
        let neighbour = self.neighbours.get(&gateway).filter(|it| it.permanent)?;
        self.fdb.get(&neighbour.mac?)?.dst
    }

    /// Whether all of a wish holds that no foreign route keeps from holding.
    pub(super) fn holds(&self, wish: &Wish) -> bool {
        let routes = wish.routes.iter().all(|route| {
            let at_key = |held: &&HeldRoute| (held.dst, held.metric) == (route.dst, route.metric);
            let mut held = self.routes.iter().filter(at_key);
            held.clone().any(|held| held.is(route)) || held.any(|held| is_foreign(wish, held))
        });
        let neighbours = wish.neighbours.iter();
        let mut fdb = wish.fdb.iter();
        routes
            && neighbours
                .clone()
                .all(|it| self.neighbours.get(&it.address) == Some(&(*it).into()))
            && fdb.all(|it| self.fdb.get(&it.mac) == Some(&(*it).into()))
    }

    /// Everything that is not ours to touch.
    pub(super) fn foreign(&self, wish: &Wish) -> Held {
        let mut held = self.dump();
        held.routes.retain(|route| is_foreign(wish, route));
        let wished = |address| wish.neighbours.iter().any(|it| it.address == address);
        held.neighbours
            .retain(|it| !it.permanent && !wished(it.address));
        held.fdb
            .retain(|entry| !(entry.permanent && entry.mac.is_unicast()));
        let wished = |mac| wish.fdb.iter().any(|entry| entry.mac == mac);
        held.fdb.retain(|entry| !wished(entry.mac));
        held
    }

    /// How many objects of ours there are.
    pub(super) fn ours(&self, wish: &Wish) -> usize {
        let routes = self.routes.iter().filter(|route| !is_foreign(wish, route));
        let neighbours = self.neighbours.values().filter(|it| it.permanent);
        let fdb = self.fdb.values();
        let fdb = fdb.filter(|entry| entry.permanent && entry.mac.is_unicast());
        routes.count() + neighbours.count() + fdb.count()
    }
}

pub(super) fn is_foreign(wish: &Wish, route: &HeldRoute) -> bool {
    let within = wish.network[0].contains(route.dst.ip());
    route.protocol != PROTOCOL || !(within || route.link == Some(wish.device))
}
