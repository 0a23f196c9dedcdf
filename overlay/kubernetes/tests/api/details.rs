// SPDX-License-Identifier: Apache-2.0
//! A server that fails at some Nodes' pod CIDRs.

use std::time::{Duration, Instant};

use kubernetes::Origin;

use crate::lab::{Lab, member, names, plain, until, until_counted};
use crate::server::{Fault, Server};

#[tokio::test]
async fn a_node_that_cannot_be_asked_for_is_in_nobodys_way() {
    let lab = Lab::new();
    let server = Server::start().await;
    server
        .state()
        .faults
        .push_back(("nodes/node-2", Fault::Answer(500, "", String::new())));
    server.put(plain("own"));
    [1, 2, 3]
        .into_iter()
        .for_each(|number| server.put(member(number)));
    lab.lead(&server, "secret");
    let mut nodes = lab.follow();
    let known = until(&mut nodes, |it| it.origin == Origin::Live).await;
    assert_eq!(names(&known), ["node-1", "node-3"]);
    assert!(known.partial, "node-2 has to be kept, if it is there");
    assert_eq!(
        format!(
            "{}: {}",
            known.unreadable[0].node, known.unreadable[0].fault
        ),
        "node-2: its pod CIDRs cannot be read: the API server answers (500)"
    );
    until(&mut nodes, |it| {
        names(it).len() == 3 && it.unreadable.is_empty() && !it.partial
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_its_nodes_own() {
    let lab = Lab::new();
    let server = Server::start().await;
    for _ in 0..2 {
        let fault = ("nodes/node-2", Fault::Break);
        server.state().faults.push_back(fault);
    }
    server.put(plain("own"));
    [1, 2].into_iter().for_each(|it| server.put(member(it)));
    lab.lead(&server, "secret");
    let mut nodes = lab.follow();
    let known = until(&mut nodes, |it| it.origin == Origin::Live).await;
    assert_eq!((names(&known), known.partial), (vec!["node-1"], true));
    until(&mut nodes, |it| names(it).len() == 2 && !it.partial).await;
}

#[tokio::test]
async fn an_answer_that_does_not_come_keeps_nobody_else_waiting() {
    let lab = Lab::new();
    let (server, mut nodes) = lab.with_nodes(&[1]).await;
    let fault = ("nodes/node-2", Fault::Hang);
    server.state().faults.push_back(fault);
    server.put(member(2));
    until_counted(&nodes, |_| server.asked(&["nodes/node-2"]) == 1).await;
    let begun = Instant::now();
    server.put(member(3));
    until(&mut nodes, |it| names(it) == ["node-1", "node-3"]).await;
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_long_list_that_is_garbage_is_asked_for_node_by_node() {
    let lab = Lab::new();
    let server = Server::start().await;
    let garbage = Fault::Say("{\"items\": 7}".to_owned());
    server.state().faults.push_back(("limit=100", garbage));
    server.put(plain("own"));
    (1..=70).for_each(|number| server.put(member(number)));
    lab.lead(&server, "secret");
    let mut nodes = lab.follow();
    let known = until(&mut nodes, |it| it.origin == Origin::Live).await;
    assert_eq!(names(&known).len(), 70);
    assert_eq!(server.asked(&["limit=100"]), 1);
}
