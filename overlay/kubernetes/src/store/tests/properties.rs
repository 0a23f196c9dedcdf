// SPDX-License-Identifier: Apache-2.0
//! Whatever happens to the Nodes, and however often it is told.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Names and UIDs are few, so that much happens to each.
#[derive(Clone, Debug)]
enum Happening {
    /// The Node is made anew, or changes.
    Put { name: u8, uid: u8, member: bool },
    /// It is deleted.
    Delete(u8),
    /// All Nodes are listed again; some changes before it were not told.
    List,
    /// Everybody who is wanted is asked for: a Node answers, or the server fails at it.
    Ask { fails: bool },
}

fn happening() -> impl Strategy<Value = Happening> {
    let put = (0..4_u8, 0..2_u8, any::<bool>());
    prop_oneof![
        4 => put.prop_map(|(name, uid, member)| Happening::Put { name, uid, member }),
        2 => (0..4_u8).prop_map(Happening::Delete),
        1 => Just(Happening::List),
        2 => any::<bool>().prop_map(|fails| Happening::Ask { fails }),
    ]
}

/// The cluster, and what a store has been told of it.
struct World {
    /// UID, and whether it is a member, by name.
    nodes: BTreeMap<String, (String, bool)>,
    store: Store,
    now: Instant,
}

impl World {
    fn happen(&mut self, happening: &Happening, told: bool) {
        match happening {
            Happening::Put { name, uid, member } => {
                let (name, uid) = (format!("n{name}"), format!("u{uid}"));
                self.nodes.insert(name.clone(), (uid.clone(), *member));
                if told {
                    self.tell(|store| seen(store, &name, &uid, *member));
                }
            }
            Happening::Delete(name) => {
                let name = format!("n{name}");
                if let (Some((uid, member)), true) = (self.nodes.remove(&name), told) {
                    let gone = metadata(&name, &uid, member);
                    self.tell(|store| store.gone(gone.metadata()));
                }
            }
            Happening::List => self.list(),
            Happening::Ask { fails } => self.ask(*fails),
        }
    }

    fn list(&mut self) {
        self.store.begin();
        for (name, (uid, member)) in self.nodes.clone() {
            self.tell(|store| seen(store, &name, &uid, member));
        }
        self.tell(Store::complete);
    }

    fn ask(&mut self, fails: bool) {
        self.now += Duration::from_secs(100);
        let now = self.now;
        for name in self.store.wanted(now).names {
            let answer = match self.nodes.get(&name) {
                None => Answer::Absent,
                Some(_) if fails => Answer::Failed("it broke".to_owned()),
                Some((uid, _)) => pods(uid, &cidr(&name, uid)),
            };
            self.tell(|store| store.answered([(name.clone(), answer)], now));
        }
    }

    /// Whoever is not told of a change has missed none.
    fn tell(&mut self, change: impl FnOnce(&mut Store) -> Effect) {
        let before = self.store.snapshot(None);
        let effect = change(&mut self.store);
        let after = self.store.snapshot(None);
        assert!(effect.changed || before == after, "{before:?}\n{after:?}");
    }
}

fn cidr(name: &str, uid: &str) -> String {
    format!("10.{}.{}.0/24", &name[1..], &uid[1..])
}

proptest! {
    #[test]
    fn in_the_end_the_store_knows_the_cluster(
        happenings in vec((happening(), any::<bool>()), 0..40),
    ) {
        let mut world = World { nodes: BTreeMap::new(), store: live(), now: Instant::now() };
        world.list();
        for (happening, told) in &happenings {
            world.happen(happening, *told);
        }
        world.list();
        world.ask(false);
        let snapshot = world.store.snapshot(None);
        let peers = snapshot.peers.iter().map(|peer| {
            (peer.name.clone(), peer.pod_cidrs[0].to_string())
        });
        let members = world.nodes.iter().filter(|(_, (_, member))| *member);
        let members = members.map(|(name, (uid, _))| (name.clone(), cidr(name, uid)));
        prop_assert_eq!(peers.collect::<Vec<_>>(), members.collect::<Vec<_>>());
        // What cannot be understood is there, and was a member once.
        for unreadable in &snapshot.unreadable {
            prop_assert!(!world.nodes[&unreadable.node].1);
        }
        prop_assert_eq!(world.store.wanted(world.now + Duration::from_secs(100)), Wanted::default());
    }
}
