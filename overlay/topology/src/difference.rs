// SPDX-License-Identifier: Apache-2.0
//! From what the kernel holds to what it should hold, in as few steps as possible.
//!
//! A packet needs the route, then the neighbour, then the forwarding entry. So what is made is
//! made from the last to the first, and what is removed is removed from the first to the last,
//! after everything else has been made: no packet meets half of a peer.
//!
//! Neighbours and forwarding entries that are permanent and on our device are ours, and routes
//! with our protocol number. All else stays as it is; where another's route keeps ours from
//! working, the difference says so.

mod foreign;
mod held;
mod routes;

use std::collections::BTreeSet;

pub use foreign::{Foreign, Obstacle};
pub use held::{Held, HeldFdbEntry, HeldNeighbour, HeldRoute};

use crate::{Family, FdbEntry, Neighbour, Overlay, Route, Wish};

/// One request to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Op {
    /// Makes a forwarding entry, or replaces the one with its MAC address.
    SetFdbEntry(FdbEntry),
    /// Makes a neighbour, or replaces the one with its address.
    SetNeighbour(Neighbour),
    /// Makes a route; there is none with its destination and metric.
    AddRoute(Route),
    /// Replaces our route with the same destination and metric.
    ReplaceRoute(Route),
    /// Removes exactly this route. Of several IPv6 routes with one destination and metric, which
    /// are one multipath route to the kernel, a replacement may have taken it away already: not
    /// there (`ESRCH`) is as good as removed.
    DeleteRoute(HeldRoute),
    /// Removes the neighbour with this address.
    DeleteNeighbour(HeldNeighbour),
    /// Removes the forwarding entry with this MAC address.
    DeleteFdbEntry(HeldFdbEntry),
}

/// What has to be done for the kernel to hold what it should.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// What is to be made or replaced, in this order.
    pub set: Vec<Op>,
    /// What is to be removed, in this order, after all of `set`.
    pub remove: Vec<Op>,
    /// Others' routes that keep ours from working, and that are not touched.
    pub foreign: Vec<Foreign>,
}

impl Change {
    /// All requests in the order in which to make them.
    pub fn ops(&self) -> impl Iterator<Item = &Op> {
        self.set.iter().chain(&self.remove)
    }

    /// Whether the kernel holds what it should, as far as that depends on us.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty()
    }

    /// How many objects differ.
    #[must_use]
    pub fn len(&self) -> usize {
        self.set.len() + self.remove.len()
    }
}

/// What is to be done for the kernel to hold `wish`.
#[must_use]
pub fn difference(wish: &Wish, held: &Held) -> Change {
    let fdb = fdb(wish, held);
    let neighbours = neighbours(wish, held);
    let (routes, foreign) = routes::difference(wish, held);
    Change {
        set: [fdb.set, neighbours.set, routes.set].concat(),
        remove: [routes.remove, neighbours.remove, fdb.remove].concat(),
        foreign,
    }
}

/// The part of a change that is about one sort of objects, in the order of their keys.
#[derive(Default)]
struct Part {
    set: Vec<Op>,
    remove: Vec<Op>,
}

fn fdb(wish: &Wish, held: &Held) -> Part {
    let mut part = Part::default();
    let held = held.fdb.iter().collect();
    for_each_key(
        &wish.fdb,
        |it| it.mac,
        held,
        |it| it.mac,
        |wish, held| match wish {
            Some(wish) if !held.iter().any(|held| held.is(wish)) => {
                part.set.push(Op::SetFdbEntry(*wish));
            }
            Some(_) => {}
            None => {
                let ours = held.iter().find(|held| held.is_ours());
                part.remove
                    .extend(ours.map(|ours| Op::DeleteFdbEntry(**ours)));
            }
        },
    );
    part
}

fn neighbours(wish: &Wish, held: &Held) -> Part {
    let mut part = Part::default();
    let of_family = |it: &&HeldNeighbour| Family::of(it.address) == wish.family;
    let held = held.neighbours.iter().filter(of_family).collect();
    for_each_key(
        &wish.neighbours,
        |it| it.address,
        held,
        |it| it.address,
        |wish, held| match wish {
            Some(wish) if !held.iter().any(|held| held.is(wish)) => {
                part.set.push(Op::SetNeighbour(*wish));
            }
            Some(_) => {}
            None => {
                let ours = held.iter().find(|held| held.permanent);
                part.remove
                    .extend(ours.map(|ours| Op::DeleteNeighbour(**ours)));
            }
        },
    );
    part
}

/// Calls `each` for every key in order, with what is wished and what is held under it. Sorting and
/// walking costs a tenth of looking 65,000 keys up.
fn for_each_key<W, H, K: Ord>(
    wished: &[W],
    wished_key: impl Fn(&W) -> K,
    mut held: Vec<&H>,
    held_key: impl Fn(&H) -> K,
    mut each: impl FnMut(Option<&W>, &[&H]),
) {
    let mut wished: Vec<_> = wished.iter().collect();
    wished.sort_by_key(|it| wished_key(it));
    held.sort_by_key(|it| held_key(it));
    let mut wished = wished.into_iter().peekable();
    for held in held.chunk_by(|one, other| held_key(one) == held_key(other)) {
        let key = held_key(held[0]);
        while let Some(wish) = wished.next_if(|it| wished_key(it) < key) {
            each(Some(wish), &[]);
        }
        each(wished.next_if(|it| wished_key(it) == key), held);
    }
    wished.for_each(|wish| each(Some(wish), &[]));
}

impl Overlay {
    /// The names of the peers that these requests are about; none for what is no peer's any more.
    #[must_use]
    pub fn peers_of<'a>(&self, ops: impl IntoIterator<Item = &'a Op>) -> BTreeSet<&str> {
        let peers = self.peers.iter().enumerate();
        let (mut by_gateway, mut by_mac) = (Vec::new(), Vec::new());
        for (index, peer) in peers {
            by_mac.push((peer.mac, index));
            let gateways = peer.pod_cidrs.iter().map(|cidr| cidr.network());
            by_gateway.extend(gateways.map(|gateway| (gateway, index)));
        }
        let (mut by_mac, mut by_gateway) = (Index::new(by_mac), Index::new(by_gateway));
        let mut concerned = vec![false; self.peers.len()];
        for op in ops {
            let peer = match op {
                Op::SetFdbEntry(FdbEntry { mac, .. })
                | Op::DeleteFdbEntry(HeldFdbEntry { mac, .. }) => by_mac.find(mac),
                Op::SetNeighbour(Neighbour { address, .. })
                | Op::DeleteNeighbour(HeldNeighbour { address, .. }) => by_gateway.find(address),
                Op::AddRoute(Route { dst, .. })
                | Op::ReplaceRoute(Route { dst, .. })
                | Op::DeleteRoute(HeldRoute { dst, .. }) => by_gateway.find(&dst.network()),
            };
            if let Some(index) = peer {
                concerned[index] = true;
            }
        }
        let peers = self.peers.iter().zip(concerned);
        let concerned = peers.filter(|(_, concerned)| *concerned);
        concerned.map(|(peer, _)| peer.node.as_str()).collect()
    }
}

/// Peers by a key. Requests come in the order of their keys, so mostly the next one is meant.
struct Index<K> {
    sorted: Vec<(K, usize)>,
    next: usize,
}

impl<K: Ord> Index<K> {
    fn new(mut peers: Vec<(K, usize)>) -> Self {
        peers.sort_unstable();
        Self {
            sorted: peers,
            next: 0,
        }
    }

    fn find(&mut self, key: &K) -> Option<usize> {
        let is_next = |index: &Self| {
            index
                .sorted
                .get(index.next)
                .is_some_and(|(it, _)| it == key)
        };
        if !is_next(self) {
            self.next = self.sorted.partition_point(|(it, _)| it < key);
        }
        let found = is_next(self).then(|| self.sorted[self.next].1);
        self.next += usize::from(found.is_some());
        found
    }
}

#[cfg(test)]
mod tests;
