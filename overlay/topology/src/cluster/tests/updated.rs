// SPDX-License-Identifier: Apache-2.0
//! One list after another.

use super::*;
use crate::Unreadable;

#[test]
fn a_peer_with_a_fault_keeps_its_last_good_entry() {
    let (good, _) = cluster(&[node("own", 1), node("b", 2), node("c", 3)]);
    let mut typo = node("b", 2);
    typo.pod_cidrs[0] = "10.20.2.0/24".parse().unwrap();
    let list = vec![node("own", 1), typo.clone(), node("c", 3)];
    let (updated, complaints) = good.updated(list.clone(), &settings()).unwrap();
    assert_eq!(updated, good);
    assert_eq!(
        complaints[0].to_string(),
        "node b keeps its last good entry: its pod CIDR 10.20.2.0/24 is not within the network \
         10.200.0.0/16"
    );
    assert_eq!(updated.updated(list, &settings()).unwrap().0, good);
}

#[test]
fn a_last_good_entry_gives_way_to_a_good_new_one() {
    let (good, _) = cluster(&[node("own", 1), node("b", 2)]);
    let mut typo = node("b", 2);
    typo.underlay.v4 = Some(Ipv4Addr::UNSPECIFIED);
    let list = vec![node("own", 1), typo, node("c", 2)];
    let (updated, complaints) = good.updated(list, &settings()).unwrap();
    assert_eq!(peers(&updated)[0], ["c"]);
    assert!(complaints.iter().all(|complaint| !complaint.kept));
}

#[test]
fn a_node_that_is_gone_is_not_kept() {
    let (good, _) = cluster(&[node("own", 1), node("b", 2)]);
    let (updated, _) = good.updated(vec![node("own", 1)], &settings()).unwrap();
    assert!(updated.peers().is_empty());
    assert!(good.updated(vec![node("b", 2)], &settings()).is_err());
}

#[test]
fn a_node_that_the_source_cannot_read_keeps_its_last_good_entry() {
    let (good, _) = cluster(&[node("own", 1), node("b", 2), node("c", 3)]);
    let unreadable = |node: &str| Unreadable {
        node: node.to_owned(),
        fault: Fault::Unreadable {
            what: "annotation backend-data".to_owned(),
            why: "it is empty".to_owned(),
        },
        last: None,
    };
    let list = NodeList {
        nodes: vec![node("own", 1), node("c", 4)],
        unreadable: vec![unreadable("b"), unreadable("d")],
        ..NodeList::default()
    };
    let (updated, complaints) =
        Cluster::of_list("own", list, &settings(), Some(&good)).expect("the own entry is good");
    assert_eq!(peers(&updated)[0], ["b", "c"]);
    assert_eq!(
        complaints
            .iter()
            .map(Complaint::to_string)
            .collect::<Vec<_>>(),
        [
            "node b keeps its last good entry: its annotation backend-data cannot be read: it is empty",
            "node d is left out: its annotation backend-data cannot be read: it is empty",
        ]
    );
}

#[test]
fn a_node_that_the_source_remembers_is_kept_without_an_earlier_list() {
    let unreadable = |name: &str, number| Unreadable {
        node: name.to_owned(),
        fault: Fault::Unreadable {
            what: "annotation backend-data".to_owned(),
            why: "it is missing".to_owned(),
        },
        last: Some(node(name, number)),
    };
    let list = NodeList {
        nodes: vec![node("own", 1), node("c", 3)],
        unreadable: vec![unreadable("b", 2), unreadable("d", 3)],
        ..NodeList::default()
    };
    let (cluster, complaints) = Cluster::of_list("own", list, &settings(), None).unwrap();
    assert_eq!(peers(&cluster)[0], ["b", "c"], "d has what is c's now");
    let kept: Vec<_> = complaints.iter().map(|it| (&*it.node, it.kept)).collect();
    assert_eq!(kept, [("b", true), ("d", false)]);
}

#[test]
fn whoever_was_there_first_stays() {
    let since = |since, mut node: Node| {
        node.since = since;
        node
    };
    let mut newcomer = since(2, node("a", 3));
    newcomer.pod_cidrs = node("b", 2).pod_cidrs;
    let established = since(1, node("b", 2));
    let (seen, complaints) = cluster(&[node("own", 1), newcomer, established]);
    assert_eq!(peers(&seen)[0], ["b"]);
    assert!(
        complaints[0].starts_with("node a is left out"),
        "{complaints:?}"
    );
}
