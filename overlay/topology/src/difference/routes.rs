// SPDX-License-Identifier: Apache-2.0
//! The part of a difference that is about routes. The main table is everybody's, so here it is
//! decided which routes are ours.

use std::cmp::Ordering;
use std::collections::HashMap;

use ipnetwork::IpNetwork;

use super::{Foreign, Held, HeldRoute, Obstacle, Op, Part};
use crate::wish::PROTOCOL;
use crate::{Family, Route, Wish, cidr};

/// The protocol number of routes made without one, as flannel makes them: linux/rtnetlink.h.
const RTPROT_BOOT: u8 = 3;

pub(super) fn difference(wish: &Wish, held: &Held) -> (Part, Vec<Foreign>) {
    let mut ours: HashMap<_, Vec<_>> = HashMap::new();
    let mut theirs: HashMap<_, Vec<_>> = HashMap::new();
    let of_family = |route: &&HeldRoute| Family::of_network(route.dst) == wish.family;
    for route in held.routes.iter().filter(of_family) {
        if wish.owns(route) {
            let key = (route.dst, route.metric);
            ours.entry(key).or_default().push(*route);
        } else {
            theirs.entry(route.dst).or_default().push(*route);
        }
    }
    let mut foreign = in_the_way_of_own_pods(wish, &theirs);
    let mut part = Part::default();
    for route in &wish.routes {
        let held = ours.remove(&(route.dst, route.metric));
        let obstacles = in_the_way_of(route, &theirs);
        let vacant = obstacles.iter().all(|it| it.obstacle != Obstacle::InPlace);
        replace(held.unwrap_or_default(), route, vacant, &mut part);
        foreign.extend(obstacles);
    }
    let surplus = ours.into_values().flatten();
    part.remove.extend(surplus.map(Op::DeleteRoute));
    part.remove.sort_unstable();
    foreign.sort_unstable();
    (part, foreign)
}

impl Wish {
    fn owns(&self, route: &HeldRoute) -> bool {
        let through_device = route.link == Some(self.device);
        let within = || {
            self.network
                .iter()
                .any(|outer| cidr::holds(*outer, route.dst))
        };
        match route.protocol {
            PROTOCOL => through_device || within(),
            RTPROT_BOOT => through_device && self.takeover,
            _ => false,
        }
    }
}

/// Makes one of our routes with a destination and metric the wished one, and removes the others.
/// Where the place is another's, nothing is made, because the kernel would replace that one.
fn replace(mut held: Vec<HeldRoute>, wish: &Route, vacant: bool, part: &mut Part) {
    if let Some(right) = held.iter().position(|held| held.is(wish)) {
        held.remove(right);
    } else if vacant && held.is_empty() {
        part.set.push(Op::AddRoute(*wish));
    } else if vacant {
        // The kernel replaces the first one, in the order of its dump.
        held.remove(0);
        part.set.push(Op::ReplaceRoute(*wish));
    }
    part.remove.extend(held.into_iter().map(Op::DeleteRoute));
}

type Theirs = HashMap<IpNetwork, Vec<HeldRoute>>;

/// The bridge's route to the node's own pods needs no gateway; one with a gateway leads elsewhere.
fn in_the_way_of_own_pods(wish: &Wish, theirs: &Theirs) -> Vec<Foreign> {
    let routes = wish
        .own_pod_cidrs
        .iter()
        .filter_map(|cidr| theirs.get(cidr));
    let away = routes
        .flatten()
        .filter(|route| route.gateway.is_some() || route.link == Some(wish.device));
    let foreign = |route: &HeldRoute| Foreign {
        route: *route,
        obstacle: Obstacle::OwnPodCidr,
    };
    away.map(foreign).collect()
}

fn in_the_way_of(wish: &Route, theirs: &Theirs) -> Vec<Foreign> {
    let routes = theirs.get(&wish.dst).into_iter().flatten();
    let foreign = |route: &HeldRoute| {
        let obstacle = match route.metric.cmp(&wish.metric) {
            Ordering::Less => Obstacle::Preferred,
            Ordering::Equal => Obstacle::InPlace,
            Ordering::Greater => return None,
        };
        Some(Foreign {
            route: *route,
            obstacle,
        })
    };
    routes.filter_map(foreign).collect()
}
