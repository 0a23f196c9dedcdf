// SPDX-License-Identifier: Apache-2.0
//! What is remembered while there is no server.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use kubernetes::{Nodes, Options, Origin};
use tokio::time::timeout;

use crate::lab::{Lab, member, names, until, until_counted};
use crate::server::Server;

fn remembering(lab: &Lab) -> Options {
    Options {
        cache: Some(lab.path("var/nodes.json")),
        ..lab.options()
    }
}

#[tokio::test]
async fn what_was_known_is_known_without_a_server() {
    let lab = Lab::new();
    let (server, plain) = lab.with_nodes(&[1, 2]).await;
    drop(plain);
    let mut nodes = Nodes::start(remembering(&lab)).unwrap();
    let live = until(&mut nodes, |it| it.origin == Origin::Live).await;
    let address = server.address;
    let state = server.stop().await;
    drop(nodes);
    let mode = std::fs::metadata(lab.path("var/nodes.json")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);

    let mut nodes = Nodes::start(remembering(&lab)).unwrap();
    assert_eq!(nodes.snapshot().origin, Origin::Nothing);
    let cached = until(&mut nodes, |it| it.origin == Origin::Cached).await;
    assert_eq!((&cached.peers, &cached.own), (&live.peers, &live.own));
    assert!(cached.trouble.is_some());

    // What went meanwhile goes when the server is back, and what stayed is not asked for again.
    let mut state = state;
    state.remove("node-1");
    state.requests.clear();
    let server = Server::restart(address, state).await;
    server.put(member(3));
    let live = until(&mut nodes, |it| {
        it.origin == Origin::Live && names(it).len() == 2
    })
    .await;
    assert_eq!(names(&live), ["node-2", "node-3"]);
    assert_eq!(server.asked(&["GET /api/v1/nodes/node-2"]), 0);
}

#[tokio::test]
async fn a_server_that_answers_soon_makes_the_file_needless() {
    let lab = Lab::new();
    let (server, plain) = lab.with_nodes(&[1]).await;
    drop(plain);
    for _ in 0..2 {
        let mut nodes = Nodes::start(remembering(&lab)).unwrap();
        let mut seen = Vec::new();
        while seen.last() != Some(&Origin::Live) {
            nodes.changed().await;
            seen.push(nodes.snapshot().origin);
        }
        assert!(!seen.contains(&Origin::Cached));
    }
    assert_eq!(
        server.asked(&["GET /api/v1/nodes/node-1"]),
        2,
        "by the first two alone"
    );
}

#[tokio::test]
async fn the_file_follows_within_a_second() {
    let lab = Lab::new();
    let (server, plain) = lab.with_nodes(&[1]).await;
    drop(plain);
    let mut nodes = Nodes::start(remembering(&lab)).unwrap();
    until(&mut nodes, |it| it.origin == Origin::Live).await;
    server.put(member(2));
    until(&mut nodes, |it| names(it).len() == 2).await;
    let has = |text: &str| {
        let content = std::fs::read_to_string(lab.path("var/nodes.json"));
        content.is_ok_and(|content| content.contains(text))
    };
    let waiting = async {
        while !has("node-2") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_millis(1500), waiting).await.unwrap();
}

#[tokio::test]
async fn a_file_of_no_use_is_replaced() {
    for content in [
        "",
        "{\"version\":1",
        "{\"version\":7}",
        "{\"version\":1,\"node\":\"other\",\"prefix\":\"flannel.alpha.coreos.com/\",\"nodes\":[]}",
    ] {
        let lab = Lab::new();
        let (_server, plain) = lab.with_nodes(&[1]).await;
        drop(plain);
        std::fs::create_dir(lab.path("var")).unwrap();
        std::fs::write(lab.path("var/nodes.json"), content).unwrap();
        let mut nodes = Nodes::start(remembering(&lab)).unwrap();
        until(&mut nodes, |it| it.origin == Origin::Live).await;
        drop(nodes);
        let content = std::fs::read_to_string(lab.path("var/nodes.json")).unwrap();
        assert!(
            content.contains("node-1") && content.contains("uid-of-own"),
            "{content}"
        );
    }
}

#[tokio::test]
async fn a_file_that_could_not_be_written_is_written_as_soon_as_it_can_be() {
    let lab = Lab::new();
    let (_server, plain) = lab.with_nodes(&[1]).await;
    drop(plain);
    std::fs::write(lab.path("var"), "in the way").unwrap();
    let mut nodes = Nodes::start(remembering(&lab)).unwrap();
    let known = until(&mut nodes, |it| it.origin == Origin::Live).await;
    assert_eq!(names(&known).len(), 1);
    let file = lab.path("var/nodes.json");
    // The trouble itself is a change, after which it is tried once more; then nothing comes.
    while timeout(Duration::from_secs(1), nodes.changed())
        .await
        .is_ok()
    {}
    std::fs::remove_file(lab.path("var")).unwrap();
    until_counted(&nodes, |_| file.exists()).await;
}
