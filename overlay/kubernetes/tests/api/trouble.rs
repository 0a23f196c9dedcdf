// SPDX-License-Identifier: Apache-2.0
//! What a server does wrong, and what becomes of it.

use std::time::{Duration, Instant};

use kubernetes::Origin;

use crate::lab::{Lab, member, names, plain, until, until_counted};
use crate::server::{Fault, Server};

fn answer(code: u16) -> Fault {
    Fault::Answer(code, "", String::new())
}

#[tokio::test]
async fn a_watch_that_is_cut_goes_on_where_it_was() {
    let lab = Lab::new();
    let (server, mut nodes) = lab.with_nodes(&[1]).await;
    for number in 2..5 {
        // In the middle of a line, of which nothing may be believed.
        server.say(r#"{"type":"DELETED","object":{"metadata":{"name":"node-1","#);
        server.cut();
        server.put(member(number));
        until(&mut nodes, |it| names(it).len() == usize::from(number)).await;
    }
    assert_eq!(
        server.asked(&["sendInitialEvents"]),
        2,
        "once by each watch"
    );
    let restarts = nodes.counters().watch_restarts;
    assert!(restarts["cut"] >= 3, "{restarts:?}");
    assert_eq!(nodes.snapshot().trouble, None);
}

#[tokio::test]
async fn a_version_that_is_forgotten_begins_the_list_anew() {
    let lab = Lab::new();
    let (server, mut nodes) = lab.with_nodes(&[1, 2]).await;
    let address = server.address;
    let mut state = server.stop().await;
    state.remove("node-1");
    state.forget();
    let server = Server::restart(address, state).await;
    server.put(member(3));
    until(&mut nodes, |it| names(it) == ["node-2", "node-3"]).await;
    until_counted(&nodes, |it| it.watch_restarts.get("gone") == Some(&2)).await;
    until_counted(&nodes, |_| server.asked(&["sendInitialEvents"]) == 4).await;
    assert_eq!(
        server.asked(&["GET /api/v1/nodes/node-2"]),
        1,
        "it is the same Node"
    );
}

#[tokio::test]
async fn a_server_that_comes_back_is_found_soon() {
    let lab = Lab::new();
    let (server, mut nodes) = lab.with_nodes(&[1]).await;
    let address = server.address;
    let state = server.stop().await;
    let known = until(&mut nodes, |it| it.trouble.is_some()).await;
    assert_eq!((known.origin, names(&known).len()), (Origin::Live, 1));
    let trouble = known.trouble.unwrap();
    assert!(trouble.contains("Connection refused"), "{trouble}");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let server = Server::restart(address, state).await;
    server.put(member(2));
    let back = Instant::now();
    until(&mut nodes, |it| {
        names(it).len() == 2 && it.trouble.is_none()
    })
    .await;
    assert!(
        back.elapsed() < Duration::from_millis(2500),
        "{:?}",
        back.elapsed()
    );
}

#[tokio::test]
async fn a_page_that_expires_begins_the_list_anew() {
    let lab = Lab::new();
    let server = Server::start().await;
    server.state().streams = Some(400);
    server.state().page = Some(2);
    server.state().faults.push_back(("continue=2", answer(410)));
    server.put(plain("own"));
    (1..6).for_each(|number| server.put(member(number)));
    lab.lead(&server, "secret");
    let mut nodes = lab.follow();
    let known = until(&mut nodes, |it| {
        it.origin == Origin::Live && it.trouble.is_none()
    })
    .await;
    assert_eq!(names(&known).len(), 5);
    assert_eq!(nodes.counters().errors["gone"], 1);
}

#[tokio::test]
async fn refusals_are_said_and_outlived() {
    for (code, said) in [
        (403, "the API server forbids it (403)"),
        (500, "the API server answers (500)"),
        (503, "the API server answers (503)"),
    ] {
        let lab = Lab::new();
        let server = Server::start().await;
        // The watch, the list in its place, and the second attempt of both.
        for _ in 0..4 {
            server.state().faults.push_back(("nodes?&", answer(code)));
        }
        server.put(plain("own"));
        server.put(member(1));
        lab.lead(&server, "secret");
        let mut nodes = lab.follow();
        let known = until(&mut nodes, |it| it.trouble.is_some()).await;
        assert!(known.trouble.unwrap().ends_with(said));
        let known = until(&mut nodes, |it| {
            it.origin == Origin::Live && it.trouble.is_none()
        })
        .await;
        assert_eq!(names(&known), ["node-1"]);
    }
}

#[tokio::test]
async fn a_server_that_asks_for_time_gets_it() {
    let lab = Lab::new();
    let (server, mut nodes) = lab.with_nodes(&[1]).await;
    let busy = Fault::Answer(429, "Retry-After: 1\r\n", String::new());
    server
        .state()
        .faults
        .push_back(("resourceVersion", busy.clone()));
    server.state().faults.push_back(("resourceVersion", busy));
    let begun = Instant::now();
    server.cut();
    server.put(member(2));
    until(&mut nodes, |it| {
        names(it).len() == 2 && it.trouble.is_none()
    })
    .await;
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(nodes.counters().errors["throttled"], 2);
}

#[tokio::test]
async fn garbage_is_said_and_gone_around() {
    let lab = Lab::new();
    let (server, mut nodes) = lab.with_nodes(&[1]).await;
    for garbage in [
        "<html>\n",
        "{\"type\":\"SOLD\",\"object\":{}}\n",
        "\u{0}\u{ff}\n",
        "[]\n",
    ] {
        let before = nodes.counters().errors.get("garbage").copied().unwrap_or(0);
        server.say(garbage);
        until_counted(&nodes, |it| {
            it.errors.get("garbage").is_some_and(|it| *it > before)
        })
        .await;
        until(&mut nodes, |it| it.trouble.is_none()).await;
    }
    // At each attempt, as if it were one Node that cannot be read: the list leads around it.
    for _ in 0..2 {
        let poison = Fault::Say("{\"type\":\"ADDED\"}\n".to_owned());
        server
            .state()
            .faults
            .push_back(("resourceVersion=2&", poison.clone()));
        server
            .state()
            .faults
            .push_back(("resourceVersion=2 ", poison));
    }
    server.cut();
    server.put(member(2));
    let known = until(&mut nodes, |it| {
        names(it).len() == 2 && it.trouble.is_none()
    })
    .await;
    assert_eq!(names(&known), ["node-1", "node-2"]);
}

#[tokio::test]
async fn a_list_that_is_garbage_is_no_list() {
    let lab = Lab::new();
    let server = Server::start().await;
    server.state().streams = Some(422);
    let garbage = Fault::Say("{\"items\": 7}".to_owned());
    server.state().faults.push_back(("limit=500", garbage));
    server.state().faults.push_back(("limit=500", Fault::Close));
    server.put(plain("own"));
    server.put(member(1));
    lab.lead(&server, "secret");
    let mut nodes = lab.follow();
    let known = until(&mut nodes, |it| {
        it.origin == Origin::Live && it.trouble.is_none()
    })
    .await;
    assert_eq!(names(&known), ["node-1"]);
    assert_eq!(nodes.counters().errors["garbage"], 1);
}

#[tokio::test]
async fn a_bookmark_is_where_a_watch_goes_on() {
    let lab = Lab::new();
    let (server, mut nodes) = lab.with_nodes(&[1]).await;
    server.say("{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Node\",\"metadata\":{\"resourceVersion\":\"900\"}}}\n");
    // What follows a bookmark shows that it has been read.
    server.say(
        "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"outsider\",\"uid\":\"o\"}}}\n",
    );
    until_counted(&nodes, |it| it.nodes == 3).await;
    server.cut();
    until_counted(&nodes, |it| it.watch_restarts.get("cut") == Some(&2)).await;
    until_counted(&nodes, |_| server.asked(&["resourceVersion=900"]) >= 2).await;
    assert_eq!(names(&until(&mut nodes, |_| true).await), ["node-1"]);
}

/// A server that lists well and forgets at once would be asked for lists without end.
#[tokio::test]
async fn lists_that_are_of_no_use_are_asked_for_ever_more_seldom() {
    let lab = Lab::new();
    let (server, nodes) = lab.with_nodes(&[1]).await;
    let gone = "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}\n";
    let before = server.asked(&["sendInitialEvents"]);
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        server.say(gone);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let lists = server.asked(&["sendInitialEvents"]) - before;
    assert!((4..40).contains(&lists), "{lists} lists of two watches");
    assert_eq!(names(&nodes.snapshot()), ["node-1"]);
}

#[tokio::test]
async fn a_server_that_ends_all_watches_at_once_is_said() {
    let lab = Lab::new();
    let (server, mut nodes) = lab.with_nodes(&[1]).await;
    for _ in 0..8 {
        let nothing = Fault::Say(String::new());
        server
            .state()
            .faults
            .push_back(("resourceVersion=2", nothing));
    }
    server.cut();
    let known = until(&mut nodes, |it| it.trouble.is_some()).await;
    let trouble = known.trouble.unwrap();
    assert!(
        trouble.ends_with("the API server ends watches at once"),
        "{trouble}"
    );
    until(&mut nodes, |it| it.trouble.is_none()).await;
}
