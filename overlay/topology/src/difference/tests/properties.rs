// SPDX-License-Identifier: Apache-2.0
//! What holds for every difference, tried on a model of the kernel request by request.

use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;

use super::any::{any_family, any_held, any_overlay, any_subnets};
use super::model::{Kernel, is_foreign};
use super::*;

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
        let unmade: HashSet<_> = unmade.map(|it| it.route.dst).collect();
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

    /// The peers that differ between two lists are all that a difference has to know.
    #[test]
    fn the_changed_peers_are_enough((one, other, subnets) in any_family().prop_flat_map(|family| {
        (any_overlay(family), any_overlay(family), any_subnets(family))
    })) {
        let all = difference(&other.wish(DEVICE, &subnets), &done(&one.wish(DEVICE, &subnets)));
        let (gone, come) = one.changed(&other);
        let held = done(&one.wish_for(gone, DEVICE, &subnets));
        prop_assert_eq!(difference(&other.wish_for(come, DEVICE, &subnets), &held), all);
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
