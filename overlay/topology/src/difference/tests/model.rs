// SPDX-License-Identifier: Apache-2.0
//! A model of the kernel's three tables that refuses what the kernel refuses, and in which a
//! packet's way can be looked at after every single request.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;
use proptest::prelude::*;

use super::*;
use crate::{Vtep, cidr, metric};

/// What the tables hold, keyed as the kernel keys them.
#[derive(Clone, Debug, PartialEq)]
struct Kernel {
    /// In the order of the dump; several routes can have one destination and metric.
    routes: Vec<HeldRoute>,
    neighbours: BTreeMap<IpAddr, HeldNeighbour>,
    fdb: BTreeMap<Mac, HeldFdbEntry>,
}

impl Kernel {
    fn new(held: &Held) -> Self {
        let neighbours = held.neighbours.iter().map(|it| (it.address, *it));
        Self {
            routes: held.routes.clone(),
            neighbours: neighbours.collect(),
            fdb: held.fdb.iter().map(|it| (it.mac, *it)).collect(),
        }
    }

    fn dump(&self) -> Held {
        Held {
            routes: self.routes.clone(),
            neighbours: self.neighbours.values().copied().collect(),
            fdb: self.fdb.values().copied().collect(),
        }
    }

    fn apply(&mut self, op: &Op) {
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
            }
            Op::DeleteRoute(route) => {
                let index = self.routes.iter().position(|held| held == route);
                self.routes.remove(index.expect("ESRCH"));
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
    fn destination(&self, gateway: IpAddr) -> Option<IpAddr> {
        let neighbour = self.neighbours.get(&gateway).filter(|it| it.permanent)?;
        self.fdb.get(&neighbour.mac?)?.dst
    }

    /// Whether all of a wish holds that no foreign route keeps from holding.
    fn holds(&self, wish: &Wish) -> bool {
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
    fn foreign(&self, wish: &Wish) -> Held {
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
    fn ours(&self, wish: &Wish) -> usize {
        let routes = self.routes.iter().filter(|route| !is_foreign(wish, route));
        let neighbours = self.neighbours.values().filter(|it| it.permanent);
        let fdb = self.fdb.values();
        let fdb = fdb.filter(|entry| entry.permanent && entry.mac.is_unicast());
        routes.count() + neighbours.count() + fdb.count()
    }
}

fn is_foreign(wish: &Wish, route: &HeldRoute) -> bool {
    let within = wish.network[0].contains(route.dst.ip());
    route.protocol != PROTOCOL || !(within || route.link == Some(wish.device))
}

const LINKS: [u32; 3] = [DEVICE, UPLINK, 3];

fn pod_cidr(family: Family, index: u8) -> IpNetwork {
    match family {
        Family::V4 => IpNetwork::new(Ipv4Addr::new(10, 200, index, 0).into(), 24),
        Family::V6 => {
            let address = Ipv6Addr::new(0xfd00, 0, 0, index.into(), 0, 0, 0, 0);
            IpNetwork::new(address.into(), 64)
        }
    }
    .unwrap()
}

fn underlay(family: Family, index: u8) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(192, 0, 2, index).into(),
        Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, index.into()).into(),
    }
}

/// Six peers at most, whose CIDRs, underlay addresses and MAC addresses are dealt out anew.
fn any_overlay(family: Family) -> impl Strategy<Value = Overlay> {
    let deal = || Just((0..8_u8).collect::<Vec<_>>()).prop_shuffle();
    (0..=6_usize, deal(), deal(), deal()).prop_map(move |(peers, cidrs, underlays, macs)| {
        let vtep = |index: usize| Vtep {
            node: format!("n{index}"),
            underlay: underlay(family, underlays[index]),
            mac: Mac([2, 0, 0, 0, 0, macs[index]]),
            // The first one has two.
            pod_cidrs: cidrs[index..]
                .iter()
                .take(if index == 6 { 2 } else { 1 })
                .map(|cidr| pod_cidr(family, *cidr))
                .collect(),
        };
        let network = ["10.200.0.0/16", "fd00::/48"][usize::from(family == Family::V6)];
        Overlay {
            family,
            network: vec![network.parse().unwrap()],
            own: vtep(6),
            peers: (0..peers).map(vtep).collect(),
        }
    })
}

fn any_subnets(family: Family) -> impl Strategy<Value = Vec<Subnet>> {
    let bits: u8 = if family == Family::V4 { 32 } else { 128 };
    let subnet = (1..3_usize, 0..8_u8, bits - 3..=bits).prop_map(move |(link, host, prefix)| {
        let network = IpNetwork::new(underlay(family, host), prefix).unwrap();
        let link = LINKS[link];
        Subnet { network, link }
    });
    prop::collection::vec(subnet, 0..3)
}

fn any_route(family: Family) -> impl Strategy<Value = HeldRoute> {
    let place = (
        0..8_u8,
        prop::bool::weighted(0.9),
        prop::bool::weighted(0.7),
    );
    let gateway = prop::option::of(prop_oneof![
        (0..8_u8).prop_map(move |index| pod_cidr(family, index).ip()),
        (0..8_u8).prop_map(move |index| underlay(family, index)),
    ]);
    let link = prop::option::weighted(0.9, prop::sample::select(LINKS.to_vec()));
    let protocol = prop::sample::select(vec![PROTOCOL, PROTOCOL, 2, 3, 4]);
    (place, gateway, link, any::<bool>(), protocol).prop_map(
        move |((index, within, with_metric), gateway, link, onlink, protocol)| {
            let dst = if within {
                pod_cidr(family, index)
            } else {
                IpNetwork::new(underlay(family, 0), 24).unwrap()
            };
            HeldRoute {
                dst: cidr::truncated(dst),
                gateway,
                link,
                onlink,
                metric: if with_metric { metric(dst) } else { 0 },
                protocol,
            }
        },
    )
}

/// Tables in any state, as an earlier run, a crash, flannel or a person may have left them.
fn any_held(family: Family) -> impl Strategy<Value = Held> {
    let address = move |index| pod_cidr(family, index).ip();
    let mac = |index| {
        Mac([
            [0, 1, 2, 2, 2][usize::from(index % 5)],
            0,
            0,
            0,
            0,
            index % 8,
        ])
    };
    let neighbour = (0..9_u8, prop::option::of(0..40_u8), any::<bool>());
    let neighbour = neighbour.prop_map(move |(index, of, permanent)| HeldNeighbour {
        address: address(index),
        mac: of.map(mac),
        permanent,
    });
    let entry = (
        0..40_u8,
        prop::option::of(0..9_u8),
        prop::bool::weighted(0.8),
    );
    let entry = entry.prop_map(move |(index, dst, permanent)| HeldFdbEntry {
        mac: mac(index),
        dst: dst.map(|dst| underlay(family, dst)),
        permanent,
    });
    let routes = prop::collection::vec(any_route(family), 0..16);
    let neighbours = prop::collection::vec(neighbour, 0..10);
    (routes, neighbours, prop::collection::vec(entry, 0..20)).prop_map(
        |(mut routes, neighbours, fdb)| {
            // Not the same route twice; and where one of ours and another's have one destination
            // and metric, the kernel would not have let ours in.
            routes.sort_by_key(|route| (route.dst, route.metric, route.protocol == PROTOCOL));
            routes.dedup_by(|one, other| {
                let place = (one.dst, one.metric) == (other.dst, other.metric);
                one == other || place && one.protocol != other.protocol
            });
            let held = Held {
                routes,
                neighbours,
                fdb,
            };
            Kernel::new(&held).dump()
        },
    )
}

fn any_family() -> impl Strategy<Value = Family> {
    prop::sample::select(Family::ALL.to_vec())
}

/// Carries out a difference; after every request, no route of ours that was made or left leads
/// into nothing, and nobody gets what is for another.
fn carry_out(kernel: &mut Kernel, wish: &Wish, change: &Change) -> Result<(), TestCaseError> {
    let destinations: BTreeMap<_, _> = {
        let all = Kernel::new(&done(wish));
        let gateways = wish.neighbours.iter().map(|it| it.address);
        gateways
            .map(|gateway| (gateway, all.destination(gateway)))
            .collect()
    };
    for (index, op) in change.ops().enumerate() {
        kernel.apply(op);
        let made = match op {
            Op::AddRoute(route) | Op::ReplaceRoute(route) => Some(route),
            _ => None,
        };
        for route in made.into_iter().filter(|route| route.link == DEVICE) {
            prop_assert_eq!(
                kernel.destination(route.gateway),
                destinations[&route.gateway]
            );
        }
        if index + 1 >= change.set.len() {
            prop_assert!(kernel.holds(wish), "a removal breaks what was made");
        }
        if let Op::DeleteNeighbour(it) = op {
            let ours = |route: &&HeldRoute| !is_foreign(wish, route) && route.link == Some(DEVICE);
            let mut routes = kernel.routes.iter().filter(ours);
            prop_assert!(routes.all(|route| route.gateway != Some(it.address)));
        }
        if let Op::DeleteFdbEntry(entry) = op {
            let mut neighbours = kernel.neighbours.values().filter(|it| it.permanent);
            prop_assert!(neighbours.all(|it| it.mac != Some(entry.mac)));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// From any state to any wish: the wish holds, nothing else of ours is left, nothing foreign
    /// was touched, and there is nothing more to do.
    #[test]
    fn from_anything_to_a_wish((overlay, subnets, held) in any_family().prop_flat_map(|family| {
        (any_overlay(family), any_subnets(family), any_held(family))
    })) {
        let wish = overlay.wish(DEVICE, &subnets);
        let mut kernel = Kernel::new(&held);
        let foreign = kernel.foreign(&wish);
        let change = difference(&wish, &held);
        carry_out(&mut kernel, &wish, &change)?;
        prop_assert!(kernel.holds(&wish));
        prop_assert_eq!(kernel.foreign(&wish), foreign);
        let unmade = change.foreign.iter().filter(|it| it.obstacle == Obstacle::InPlace);
        let unmade: std::collections::HashSet<_> = unmade.map(|it| it.route.dst).collect();
        let wished = wish.routes.len() + wish.neighbours.len() + wish.fdb.len();
        prop_assert_eq!(kernel.ours(&wish) + unmade.len(), wished);
        let again = difference(&wish, &kernel.dump());
        prop_assert!(again.is_empty(), "{:?}", again);
        prop_assert_eq!(again.foreign, change.foreign);
    }

    /// From one list to another: requests only for what differs, and every peer that both lists
    /// have alike is served all the time.
    #[test]
    fn from_one_wish_to_another((one, other, subnets) in any_family().prop_flat_map(|family| {
        (any_overlay(family), any_overlay(family), any_subnets(family))
    })) {
        let (before, after) = (one.wish(DEVICE, &[]), other.wish(DEVICE, &subnets));
        let mut kernel = Kernel::new(&done(&before));
        let change = difference(&after, &done(&before));
        let alike: Vec<_> = before.routes.iter().filter(|it| after.routes.contains(it)).collect();
        let alike = alike.into_iter().filter(|route| {
            let destination = |wish: &Wish| Kernel::new(&done(wish)).destination(route.gateway);
            let mac = |wish: &Wish| {
                let mut all = wish.neighbours.iter();
                all.find(|it| it.address == route.gateway).map(|it| it.mac)
            };
            mac(&before) == mac(&after) && destination(&before) == destination(&after)
        });
        let alike: Vec<_> = alike.collect();
        for op in change.ops() {
            kernel.apply(op);
            for route in &alike {
                let destination = Kernel::new(&done(&after)).destination(route.gateway);
                prop_assert!(kernel.routes.iter().any(|held| held.is(route)));
                prop_assert_eq!(kernel.destination(route.gateway), destination);
            }
        }
        let mut end = kernel.dump();
        end.routes.sort_unstable();
        prop_assert_eq!(end, Kernel::new(&done(&after)).dump());
        prop_assert!(change.len() <= before_and_after(&before, &after));
    }
}

/// The number of objects that only one of the wishes has.
fn before_and_after(before: &Wish, after: &Wish) -> usize {
    fn differing<T: Ord + Copy>(one: &[T], other: &[T]) -> usize {
        let other: BTreeSet<_> = other.iter().copied().collect();
        let one: BTreeSet<_> = one.iter().copied().collect();
        one.symmetric_difference(&other).count()
    }
    differing(&before.routes, &after.routes)
        + differing(&before.neighbours, &after.neighbours)
        + differing(&before.fdb, &after.fdb)
}
