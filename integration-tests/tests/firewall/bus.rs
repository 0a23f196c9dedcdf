// SPDX-License-Identifier: Apache-2.0
//! A message bus that is none: nothing hangs, and nothing is left.

use std::fs;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::site::{Site, YES, network};

const SOCKET: &str = "/run/dbus/system_bus_socket";

fn listen(site: &Site) -> UnixListener {
    site.node.run(|| {
        fs::create_dir_all("/run/dbus").expect("a node's /run is writable");
        UnixListener::bind(SOCKET).expect("a socket can be made there")
    })
}

#[test]
fn a_bus_that_says_nothing_is_not_waited_for_without_end() {
    let site = Site::new();
    let silent = listen(&site);
    let network = network(5, &json!({}));
    let pod = site.node.pod("a");
    let start = Instant::now();
    let failure = site.runner.add(&network, &pod, "eth0").unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(40));
    let (code, text) = failure.error();
    assert_eq!(code, 11, "{failure}");
    assert!(
        text.contains("message bus") && text.contains("no answer in time"),
        "{text}"
    );
    assert_eq!(site.ruleset(), "");
    // It is not asked where another backend is wanted.
    let other = crate::site::network(6, &json!({"backend": "iptables"}));
    let pod = site.attach(&other, "b");
    site.detach(&other, &pod);
    drop(silent);
}

#[test]
fn a_bus_that_hangs_up_is_an_error_and_none_at_all_is_not() {
    let site = Site::new();
    let rude = listen(&site);
    let network = network(5, &json!({}));
    let pod = site.node.pod("a");
    let failure = std::thread::scope(|scope| {
        scope.spawn(|| drop(rude.accept()));
        site.runner.add(&network, &pod, "eth0").unwrap_err()
    });
    assert_eq!(failure.error().0, 11, "{failure}");
    drop(rude);
    // The socket's file is left, and nobody listens there.
    let pod = site.attach(&network, "b");
    assert_eq!(site.reaches_outside(&pod), YES);
    site.detach(&network, &pod);
}
