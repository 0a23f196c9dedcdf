// SPDX-License-Identifier: Apache-2.0
//! Who we are to the server.

use kubernetes::{Error, Nodes, Origin};

use crate::lab::{Lab, member, names, until};
use crate::server::Server;

#[tokio::test]
async fn renewed_credentials_are_taken_at_once() {
    let lab = Lab::new();
    let (server, mut nodes) = lab.with_nodes(&[1]).await;
    // The token is renewed as tokens are: the file first, then the old one ends.
    lab.lead(&server, "renewed");
    server.state().token = Some("renewed".to_owned());
    server.cut();
    server.put(member(2));
    let known = until(&mut nodes, |it| names(it).len() == 2).await;
    assert_eq!(known.trouble, None);
    assert_eq!(nodes.counters().errors.get("unauthorized"), None);
}

#[tokio::test]
async fn credentials_that_are_not_accepted_are_said_until_they_are() {
    let lab = Lab::new();
    let server = Server::start().await;
    server.state().token = Some("right".to_owned());
    lab.lead(&server, "wrong");
    let mut nodes = lab.follow();
    let known = until(&mut nodes, |it| it.trouble.is_some()).await;
    assert_eq!(
        known.trouble.unwrap(),
        "cannot follow the cluster's Nodes: the API server does not accept the credentials (401): Unauthorized"
    );
    assert_eq!(known.origin, Origin::Nothing);
    lab.lead(&server, "right");
    let known = until(&mut nodes, |it| {
        it.origin == Origin::Live && it.trouble.is_none()
    })
    .await;
    assert_eq!(known.own, None);
    assert!(nodes.counters().errors["unauthorized"] >= 1);
}

#[tokio::test]
async fn files_that_are_not_there_yet_are_waited_for() {
    let lab = Lab::new();
    let server = Server::start().await;
    let mut nodes = lab.follow();
    let known = until(&mut nodes, |it| it.trouble.is_some()).await;
    let trouble = known.trouble.unwrap();
    assert!(trouble.contains("kubeconfig cannot be used"), "{trouble}");
    lab.lead(&server, "any");
    until(&mut nodes, |it| {
        it.origin == Origin::Live && it.trouble.is_none()
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_with_a_kubeconfig_is_said_without_what_is_secret_in_it() {
    let lab = Lab::new();
    for (text, place) in [
        (
            "users: [{name: a, user: {token: hush",
            " (line 1, column 25)",
        ),
        ("users:\n- name: a\n  user: hush\n", " (line 3, column 9)"),
    ] {
        std::fs::write(lab.path("kubeconfig"), text).unwrap();
        let mut nodes = lab.follow();
        let known = until(&mut nodes, |it| it.trouble.is_some()).await;
        let trouble = known.trouble.unwrap();
        let said = format!("kubeconfig cannot be used: it is not the YAML of a kubeconfig{place}");
        assert!(trouble.ends_with(&said), "{trouble}");
    }
}

#[tokio::test]
async fn a_node_needs_a_name() {
    let lab = Lab::new();
    let options = kubernetes::Options {
        node: String::new(),
        ..lab.options()
    };
    assert!(matches!(Nodes::start(options), Err(Error::NoName)));
}
