// SPDX-License-Identifier: Apache-2.0
mod failing;
mod properties;

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use topology::Fault;

use super::pods::Wanted;
use super::*;
use crate::object::{MetadataOnly, Object, Whole};
use crate::snapshot::Snapshot;

const PREFIX: &str = "flannel.alpha.coreos.com/";

fn store() -> Store {
    Store::new("own".to_owned(), Prefix::default())
}

fn metadata(name: &str, uid: &str, member: bool) -> MetadataOnly {
    let mut annotations = json!({
        (format!("{PREFIX}backend-type")): "vxlan",
        (format!("{PREFIX}backend-data")): r#"{"VNI":1,"VtepMAC":"02:00:5e:00:53:01"}"#,
        (format!("{PREFIX}public-ip")): "192.0.2.1",
    });
    if member {
        annotations[format!("{PREFIX}kube-subnet-manager")] = json!("true");
    }
    let node = json!({"metadata": {"name": name, "uid": uid, "annotations": annotations}});
    serde_json::from_value(node).unwrap()
}

fn seen(store: &mut Store, name: &str, uid: &str, member: bool) -> Effect {
    store.seen(metadata(name, uid, member).metadata())
}

fn pods(uid: &str, cidr: &str) -> Answer {
    Answer::Pods(uid.into(), Ok(vec![cidr.parse().unwrap()]))
}

fn answered(store: &mut Store, name: &str, answer: Answer) -> Effect {
    store.answered([(name.to_owned(), answer)], Instant::now())
}

fn own() -> OwnObject {
    let whole =
        json!({"metadata": {"name": "own", "uid": "o"}, "spec": {"podCIDR": "10.0.0.0/24"}});
    let whole: Whole = serde_json::from_value(whole).unwrap();
    whole.reduced(&Prefix::default())
}

fn names(store: &Store) -> Vec<String> {
    let peers = store.snapshot(None).peers;
    peers.into_iter().map(|peer| peer.name).collect()
}

const CHANGED: Effect = Effect {
    changed: true,
    wanted: false,
};
const WANTED: Effect = Effect {
    changed: false,
    wanted: true,
};

/// A store that knows itself, and of node `a` all but the pod CIDRs.
fn listed() -> Store {
    let mut store = store();
    store.begin();
    seen(&mut store, "a", "1", true);
    store.complete();
    store.begin_own();
    store.seen_own(own());
    store.complete_own();
    store
}

/// A store that knows node `a` and itself.
fn live() -> Store {
    let mut store = listed();
    answered(&mut store, "a", pods("1", "10.0.1.0/24"));
    assert_eq!(store.origin(), Origin::Live);
    store
}

#[test]
fn nothing_is_shown_before_everything_is_known() {
    let mut store = store();
    store.begin();
    assert_eq!(seen(&mut store, "a", "1", true), WANTED);
    assert_eq!(
        store.wanted(Instant::now()),
        Wanted::default(),
        "the list goes on"
    );
    assert_eq!(store.complete(), WANTED);
    assert_eq!(store.wanted(Instant::now()).names, ["a"]);
    assert_eq!(
        answered(&mut store, "a", pods("1", "10.0.1.0/24")),
        Effect::default()
    );
    assert_eq!(store.snapshot(None), Snapshot::default());
    store.begin_own();
    assert_eq!(store.seen_own(own()), Effect::default());
    assert_eq!(store.complete_own(), (CHANGED, true));
    let snapshot = store.snapshot(None);
    assert_eq!(
        (snapshot.origin, names(&store)),
        (Origin::Live, vec!["a".to_owned()])
    );
    assert_eq!(snapshot.own.unwrap().uid, "o");
}

#[test]
fn what_is_seen_again_changes_nothing() {
    let mut store = live();
    for _ in 0..3 {
        assert_eq!(seen(&mut store, "a", "1", true), Effect::default());
        assert_eq!(store.seen_own(own()), Effect::default());
    }
    assert_eq!(seen(&mut store, "own", "o", true), Effect::default());
    assert_eq!(seen(&mut store, "x", "2", false), Effect::default());
    assert_eq!(
        store.gone(metadata("x", "2", false).metadata()),
        Effect::default()
    );
    assert_eq!(store.gone(metadata("a", "1", true).metadata()), CHANGED);
    assert_eq!(
        store.gone(metadata("a", "1", true).metadata()),
        Effect::default()
    );
}

#[test]
fn a_list_takes_away_what_it_does_not_have() {
    let mut store = live();
    seen(&mut store, "b", "2", true);
    answered(&mut store, "b", pods("2", "10.0.2.0/24"));
    store.begin();
    assert_eq!(seen(&mut store, "b", "2", true), Effect::default());
    assert_eq!(names(&store), ["a", "b"], "not before its end");
    assert_eq!(store.complete(), CHANGED);
    assert_eq!(names(&store), ["b"]);
    assert_eq!(store.begin_own(), ());
    assert_eq!(store.complete_own(), (CHANGED, false));
    assert_eq!(store.snapshot(None).own, None);
}

#[test]
fn a_node_with_another_uid_begins_anew() {
    let mut store = live();
    let effect = seen(&mut store, "a", "2", true);
    assert_eq!((effect.changed, effect.wanted), (true, true));
    assert!(names(&store).is_empty());
    // What was asked of the one before says nothing of this one.
    assert_eq!(
        answered(&mut store, "a", pods("1", "10.0.1.0/24")),
        Effect::default()
    );
    assert!(names(&store).is_empty());
    let later = Instant::now() + Duration::from_secs(2);
    assert_eq!(store.wanted(later).names, ["a"]);
    assert_eq!(answered(&mut store, "a", pods("2", "10.0.9.0/24")), CHANGED);
    assert_eq!(
        store.snapshot(None).peers[0].pod_cidrs[0].to_string(),
        "10.0.9.0/24"
    );
}

#[test]
fn pod_cidrs_that_are_missing_are_asked_for_when_the_node_changes() {
    let mut store = live();
    seen(&mut store, "b", "2", true);
    answered(&mut store, "b", Answer::Pods("2".into(), Ok(Vec::new())));
    let now = Instant::now();
    let later = now + Duration::from_secs(2);
    assert_eq!(store.wanted(later), Wanted::default());
    assert_eq!(store.snapshot(None).unreadable, []);
    assert_eq!(seen(&mut store, "b", "2", true), WANTED);
    let wanted = store.wanted(now);
    assert!(wanted.names.is_empty() && wanted.more.is_some_and(|more| more <= later));
    assert_eq!(store.wanted(later).names, ["b"]);
    assert_eq!(answered(&mut store, "b", pods("2", "10.0.2.0/24")), CHANGED);
}

#[test]
fn what_the_server_cannot_say_is_asked_for_by_and_by() {
    let mut store = live();
    seen(&mut store, "b", "2", true);
    let mut now = Instant::now();
    let mut pauses = Vec::new();
    for _ in 0..9 {
        let answer = ("b".to_owned(), Answer::Failed("it broke".to_owned()));
        assert_eq!(store.answered([answer], now), CHANGED);
        let more = store.wanted(now).more.unwrap();
        pauses.push((more - now).as_secs());
        now = more;
        assert_eq!(store.wanted(now).names, ["b"]);
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    let unreadable = &store.snapshot(None).unreadable[0];
    assert_eq!(
        unreadable.fault.to_string(),
        "its pod CIDRs cannot be read: it broke"
    );
    assert_eq!(store.count(), (3, 1));
}

#[test]
fn a_member_whose_annotations_vanish_has_not_left() {
    let mut store = live();
    assert_eq!(seen(&mut store, "a", "1", false), CHANGED);
    assert_eq!(seen(&mut store, "a", "1", false), Effect::default());
    let snapshot = store.snapshot(None);
    assert!(snapshot.peers.is_empty());
    assert_eq!(
        snapshot.unreadable[0].fault.to_string(),
        "its annotation flannel.alpha.coreos.com/kube-subnet-manager cannot be read: it was \
         \"true\" and is so no longer"
    );
    let last = snapshot.unreadable[0].last.as_ref().unwrap();
    assert_eq!((&*last.name, last.pod_cidrs.len()), ("a", 1));
    assert_eq!(store.memorable().count(), 1, "a restart forgets it not");
    assert_eq!(seen(&mut store, "a", "1", true), CHANGED);
    assert_eq!(names(&store), ["a"]);
    assert_eq!(store.wanted(Instant::now()), Wanted::default());
}

#[test]
fn a_memory_is_believed_when_nothing_else_is_known() {
    let mut remembered = store();
    let known = live();
    let members: Vec<_> = known
        .memorable()
        .map(|(uid, node)| (uid.into(), node))
        .collect();
    remembered.remember(members, known.own_object().cloned());
    assert_eq!(remembered.snapshot(None), Snapshot::default());
    assert_eq!(remembered.believe_memory(), CHANGED);
    assert_eq!(remembered.believe_memory(), Effect::default());
    let snapshot = remembered.snapshot(Some("away".to_owned()));
    assert_eq!(snapshot.origin, Origin::Cached);
    assert_eq!(snapshot.trouble.as_deref(), Some("away"));
    let live = known.snapshot(None);
    assert_eq!((&snapshot.peers, &snapshot.own), (&live.peers, &live.own));
    // What it has need not be asked for; what it should not have goes with the first list.
    remembered.begin();
    seen(&mut remembered, "a", "1", true);
    assert_eq!(remembered.complete(), Effect::default());
    remembered.begin_own();
    remembered.seen_own(own());
    assert_eq!(remembered.complete_own(), (CHANGED, true));
    assert_eq!(remembered.snapshot(None), live);
    remembered.begin();
    assert_eq!(remembered.complete(), CHANGED);
    assert!(names(&remembered).is_empty());
}

#[test]
fn without_a_memory_there_is_nothing_to_believe() {
    let mut store = store();
    assert_eq!(store.believe_memory(), Effect::default());
    assert_eq!(store.origin(), Origin::Nothing);
}

#[test]
fn a_malformed_pod_cidr_is_its_nodes_own_fault() {
    let mut store = live();
    seen(&mut store, "b", "2", true);
    let fault = Fault::Unreadable {
        what: "pod CIDR".to_owned(),
        why: "it is none".to_owned(),
    };
    let answer = Answer::Pods("2".into(), Err(fault.clone()));
    assert_eq!(answered(&mut store, "b", answer), CHANGED);
    assert_eq!(names(&store), ["a"]);
    assert_eq!(store.snapshot(None).unreadable[0].fault, fault);
    let later = Instant::now() + Duration::from_secs(3600);
    assert_eq!(store.wanted(later), Wanted::default(), "they never change");
}

/// There are thousands: with its key, its UID and its pod CIDRs an entry is some 300 bytes.
#[test]
fn an_entry_is_small() {
    let size = size_of::<Entry>();
    assert!(size <= 128, "{size}");
}
