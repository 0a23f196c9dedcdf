// SPDX-License-Identifier: Apache-2.0
//! What is followed when all is well.

use kubernetes::Origin;
use serde_json::json;

use crate::lab::{Lab, is_quiet_after, member, names, plain, until, until_counted};
use crate::server::Server;

#[tokio::test]
async fn nodes_come_change_and_go() {
    let (lab, server, mut nodes);
    lab = Lab::new();
    (server, nodes) = lab.with_nodes(&[1, 2]).await;
    let known = nodes.snapshot();
    assert_eq!(names(&known), ["node-1", "node-2"]);
    assert_eq!(known.peers[0].pod_cidrs[0].to_string(), "10.244.1.0/24");
    let own = known.own.unwrap();
    assert_eq!(own.uid, "uid-of-own");
    assert_eq!(own.internal_ips[0].to_string(), "192.0.2.200");

    server.put(member(3));
    until(&mut nodes, |it| names(it) == ["node-1", "node-2", "node-3"]).await;
    server.remove("node-1");
    until(&mut nodes, |it| names(it) == ["node-2", "node-3"]).await;
    let mut moved = member(2);
    moved["metadata"]["annotations"]["flannel.alpha.coreos.com/public-ip"] = json!("192.0.2.99");
    server.put(moved);
    let there = |it: &kubernetes::Snapshot| it.peers[0].underlay.v4.map(|it| it.to_string());
    until(&mut nodes, |it| there(it).as_deref() == Some("192.0.2.99")).await;
    // Each was asked for once, and nothing was listed but by the watch.
    assert_eq!(server.asked(&["GET /api/v1/nodes/node-"]), 3);
    assert_eq!(server.asked(&["limit="]), 0);
    let counters = nodes.counters();
    assert!(counters.bytes_received > 1000 && counters.bytes_sent > 500);
    assert_eq!((counters.nodes, counters.unreadable), (3, 0));
    assert!(counters.errors.is_empty() && counters.last_sync.is_some());
}

#[tokio::test]
async fn a_server_that_refuses_to_stream_is_listed_in_pages() {
    for code in [400, 403, 422, 500] {
        let lab = Lab::new();
        let server = Server::start().await;
        server.state().streams = Some(code);
        server.state().page = Some(2);
        server.put(plain("own"));
        (1..6).for_each(|number| server.put(member(number)));
        lab.lead(&server, "secret");
        let mut nodes = lab.follow();
        let known = until(&mut nodes, |it| it.origin == Origin::Live).await;
        assert_eq!(names(&known).len(), 5);
        assert_eq!(server.asked(&["sendInitialEvents", "fieldSelector"]), 1);
        assert_eq!(
            server.asked(&["limit=500"]),
            4,
            "three pages and the own Node"
        );
        server.put(member(7));
        until(&mut nodes, |it| names(it).len() == 6).await;
        assert_eq!(known.trouble, None);
    }
}

#[tokio::test]
async fn many_nodes_are_listed_for_their_pod_cidrs() {
    let lab = Lab::new();
    let numbers: Vec<u8> = (1..=150).collect();
    let (server, mut nodes) = lab.with_nodes(&numbers).await;
    assert_eq!(server.asked(&["limit=100"]), 2);
    assert_eq!(server.asked(&["GET /api/v1/nodes/"]), 0);
    server.put(member(200));
    until(&mut nodes, |it| names(it).len() == 151).await;
    assert_eq!(server.asked(&["GET /api/v1/nodes/node-200"]), 1);
}

#[tokio::test]
async fn what_does_not_matter_wakes_nobody() {
    let lab = Lab::new();
    let (server, mut nodes) = lab.with_nodes(&[1]).await;
    is_quiet_after(&mut nodes, async || {
        for number in 0..100 {
            for mut node in [member(1), plain("own"), plain("outsider")] {
                node["metadata"]["labels"] = json!({"turn": number.to_string()});
                node["metadata"]["annotations"]["example.com/turn"] = json!(number.to_string());
                node["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
                server.put(node);
            }
        }
        server.remove("outsider");
    })
    .await;
    assert_eq!(server.asked(&["GET /api/v1/nodes/"]), 1);
}

#[tokio::test]
async fn pod_cidrs_that_come_late_are_asked_for_again() {
    let lab = Lab::new();
    let (server, mut nodes) = lab.with_nodes(&[1]).await;
    let mut late = member(2);
    late["spec"] = json!({});
    server.put(late.clone());
    until_counted(&nodes, |it| it.requests.get(&("get", "2xx")) == Some(&2)).await;
    for turn in 0..50 {
        late["metadata"]["labels"] = json!({"turn": turn.to_string()});
        server.put(late.clone());
    }
    server.put(member(2));
    let known = until(&mut nodes, |it| names(it).len() == 2).await;
    assert!(known.unreadable.is_empty());
    assert!(server.asked(&["GET /api/v1/nodes/node-2"]) <= 3);
}

#[tokio::test]
async fn a_node_of_the_same_name_is_another_one() {
    let lab = Lab::new();
    let (server, mut nodes) = lab.with_nodes(&[1]).await;
    server.remove("node-1");
    let mut again = member(1);
    again["metadata"]["uid"] = json!("another");
    again["spec"] = json!({"podCIDRs": ["10.244.77.0/24"]});
    server.put(again.clone());
    let cidr = |it: &kubernetes::Snapshot| Some(it.peers.first()?.pod_cidrs[0].to_string());
    until(&mut nodes, |it| {
        cidr(it).as_deref() == Some("10.244.77.0/24")
    })
    .await;
    // Even when nobody tells that the first has gone.
    again["metadata"]["uid"] = json!("a third");
    again["spec"] = json!({"podCIDR": "10.244.78.0/24"});
    server.put(again);
    until(&mut nodes, |it| {
        cidr(it).as_deref() == Some("10.244.78.0/24")
    })
    .await;
}

#[tokio::test]
async fn a_node_that_cannot_be_understood_is_in_nobodys_way() {
    let lab = Lab::new();
    let (server, mut nodes) = lab.with_nodes(&[1]).await;
    let mut malformed = member(2);
    malformed["spec"]["podCIDRs"] = json!(["10.244.2.0"]);
    server.put(malformed);
    let mut strange = member(3);
    strange["metadata"]["annotations"]["flannel.alpha.coreos.com/public-ip"] = json!("nowhere");
    server.put(strange);
    server.put(json!({"metadata": {"name": "fake", "uid": "f",
        "annotations": member(4)["metadata"]["annotations"]}, "spec": {"podCIDR": "10.244.4.0/24"}}));
    let known = until(&mut nodes, |it| {
        names(it).len() == 2 && it.unreadable.len() == 2
    })
    .await;
    assert_eq!(names(&known), ["fake", "node-1"]);
    let faults = known.unreadable.iter();
    let faults: Vec<_> = faults
        .map(|it| format!("{}: {}", it.node, it.fault))
        .collect();
    assert_eq!(
        faults[0],
        "node-2: its pod CIDR cannot be read: \"10.244.2.0\" is not a network such as 10.244.1.0/24"
    );
    assert!(faults[1].starts_with("node-3: its annotation flannel.alpha.coreos.com/public-ip"));
    assert_eq!(nodes.counters().unreadable, 2);
    server.put(member(3));
    until(&mut nodes, |it| names(it).len() == 3).await;
}

#[tokio::test]
async fn the_own_node_may_come_late_and_go() {
    let lab = Lab::new();
    let server = Server::start().await;
    lab.lead(&server, "secret");
    let mut nodes = lab.follow();
    let known = until(&mut nodes, |it| it.origin == Origin::Live).await;
    assert_eq!(known.own, None);
    let mut own = plain("own");
    own["spec"] = json!({});
    server.put(own);
    let known = until(&mut nodes, |it| it.own.is_some()).await;
    assert!(known.own.unwrap().pod_cidrs.is_empty());
    server.put(plain("own"));
    until(&mut nodes, |it| {
        it.own.as_ref().is_some_and(|own| !own.pod_cidrs.is_empty())
    })
    .await;
    server.remove("own");
    until(&mut nodes, |it| it.own.is_none()).await;
}
