// SPDX-License-Identifier: Apache-2.0
//! The part of a difference that is about routes. The main table is everybody's, so here it is
//! decided which routes are ours.

use std::cmp::Ordering;
use std::collections::HashMap;

use ipnetwork::IpNetwork;

use super::{Foreign, Held, HeldRoute, Obstacle, Op, Part, for_each_key};
use crate::wish::PROTOCOL;
use crate::{Family, Route, Wish, cidr};

/// The protocol number of routes made without one, as flannel makes them: linux/rtnetlink.h.
const RTPROT_BOOT: u8 = 3;

pub(super) fn difference(wish: &Wish, held: &Held) -> (Part, Vec<Foreign>) {
    let of_family = |route: &&HeldRoute| Family::of_network(route.dst) == wish.family;
    let held = held.routes.iter().filter(of_family);
    let (ours, others): (Vec<_>, Vec<_>) = held.partition(|route| wish.owns(route));
    let theirs = by_destination(others);
    let mut foreign = in_the_way_of_own_pods(wish, &theirs);
    let mut part = Part::default();
    let (wished_key, held_key) = (
        |route: &Route| (route.dst, route.metric),
        |route: &HeldRoute| (route.dst, route.metric),
    );
    for_each_key(&wish.routes, wished_key, ours, held_key, |wish, held| {
        let stays = wish.and_then(|wish| {
            let obstacles = in_the_way_of(wish, &theirs);
            let vacant = !obstacles.iter().any(|it| it.obstacle == Obstacle::InPlace);
            foreign.extend(obstacles);
            place(wish, held, vacant, &mut part.set)
        });
        let held = held.iter().enumerate();
        let surplus = held.filter(|(index, _)| Some(*index) != stays);
        part.remove
            .extend(surplus.map(|(_, held)| Op::DeleteRoute(**held)));
    });
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

/// Sees to it that the wished route is one of those that we hold with its destination and metric,
/// and says which of these is not surplus. Where the place is another's, nothing is made, because
/// the kernel would replace that one.
fn place(wish: &Route, held: &[&HeldRoute], vacant: bool, set: &mut Vec<Op>) -> Option<usize> {
    let right = held.iter().position(|held| held.is(wish));
    if right.is_some() || !vacant {
        return right;
    }
    if held.is_empty() {
        set.push(Op::AddRoute(*wish));
        return None;
    }
    set.push(Op::ReplaceRoute(*wish));
    // The kernel replaces the first one in the order of its dump.
    Some(0)
}

/// Others' routes by their destinations.
type Theirs<'a> = HashMap<IpNetwork, Vec<&'a HeldRoute>>;

fn by_destination(routes: Vec<&HeldRoute>) -> Theirs<'_> {
    let mut theirs = Theirs::new();
    for route in routes {
        theirs.entry(route.dst).or_default().push(route);
    }
    theirs
}

/// The bridge's route to the node's own pods needs no gateway; one with a gateway leads elsewhere.
fn in_the_way_of_own_pods(wish: &Wish, theirs: &Theirs<'_>) -> Vec<Foreign> {
    let routes = wish
        .own_pod_cidrs
        .iter()
        .filter_map(|cidr| theirs.get(cidr));
    let away = routes
        .flatten()
        .filter(|route| route.gateway.is_some() || route.link == Some(wish.device));
    let foreign = |route: &&HeldRoute| Foreign {
        route: **route,
        obstacle: Obstacle::OwnPodCidr,
    };
    away.map(foreign).collect()
}

fn in_the_way_of(wish: &Route, theirs: &Theirs<'_>) -> Vec<Foreign> {
    let routes = theirs.get(&wish.dst).into_iter().flatten();
    let foreign = |route: &&HeldRoute| {
        let obstacle = match route.metric.cmp(&wish.metric) {
            Ordering::Less => Obstacle::Preferred,
            Ordering::Equal => Obstacle::InPlace,
            Ordering::Greater => return None,
        };
        Some(Foreign {
            route: **route,
            obstacle,
        })
    };
    routes.filter_map(foreign).collect()
}
