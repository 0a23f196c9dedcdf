// SPDX-License-Identifier: Apache-2.0
//! One address directory, used by Podwire's `host-local` and by the reference plugin's, one after
//! the other and at the same time.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;

use integration_tests::bench::{call, leases};
use integration_tests::{Execution, Network, Node, Runner, binaries};
use serde_json::{Value, json};

/// Two address families, and a set of two pools in the first one.
fn network() -> Network {
    Network::new(json!({
        "cniVersion": "1.0.0",
        "name": "shared",
        "type": "host-local",
        "ipam": {
            "type": "host-local",
            "ranges": [
                [
                    {"subnet": "10.4.0.0/24", "rangeStart": "10.4.0.10", "rangeEnd": "10.4.0.12"},
                    {"subnet": "10.4.1.0/24"},
                ],
                [{"subnet": "fd00:4::/64"}],
            ],
        },
    }))
}

/// The two plugins: Podwire's first.
fn runners(node: &Node) -> [Runner; 2] {
    let go = Runner::with_plugins(node, binaries::go_plugins());
    [Runner::new(node), go]
}

fn add(runner: &Runner, node: &Node, container: &str) -> Value {
    call(runner, &network(), "ADD", container)
        .run(node)
        .result()
}

/// CHECK of an attachment with this result.
fn check(runner: &Runner, container: &str, result: &Value) -> Execution {
    let network = network();
    let mut configuration = integration_tests::bench::configuration(&network);
    configuration["prevResult"] = result.clone();
    call(runner, &network, "CHECK", container).stdin(configuration.to_string())
}

fn del(runner: &Runner, node: &Node, container: &str) {
    call(runner, &network(), "DEL", container)
        .run(node)
        .assert_silent();
}

fn addresses(result: &Value) -> Vec<String> {
    let ips = result["ips"].as_array().into_iter().flatten();
    ips.map(|ip| ip["address"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// Name, permissions and content of everything in the network's directory.
fn content(node: &Node) -> Vec<(String, u32, String)> {
    let directory = "/var/lib/cni/networks/shared";
    let names = node.list(directory).into_iter();
    names
        .map(|name| {
            let path = format!("{directory}/{name}");
            let metadata = node.run(|| fs::symlink_metadata(&path));
            let mode = metadata.expect("a listed file is there").mode();
            (name, mode, node.read(path))
        })
        .collect()
}

#[test]
fn both_write_the_same_bytes() {
    let contents = [0, 1].map(|plugin| {
        let node = Node::new();
        let runner = &runners(&node)[plugin];
        for container in ["a", "b", "c", "d", "e"] {
            add(runner, &node, container);
        }
        del(runner, &node, "b");
        add(runner, &node, "f");
        content(&node)
    });
    assert_eq!(contents[0], contents[1]);
    assert!(
        contents[0].iter().any(|(_, _, text)| text == "f\r\neth0"),
        "{contents:?}"
    );
}

#[test]
fn each_goes_on_where_the_other_stopped() {
    let nodes = [0, 1].map(|_| Node::new());
    for (turn, container) in ["a", "b", "c", "d", "e", "f", "g", "h"].iter().enumerate() {
        // One node changes its plugin with each ADD; the other has always had the same.
        let mixed = add(&runners(&nodes[0])[turn % 2], &nodes[0], container);
        let pure = add(&runners(&nodes[1])[1], &nodes[1], container);
        assert_eq!(addresses(&mixed), addresses(&pure), "{container}");
    }
    assert_eq!(content(&nodes[0]), content(&nodes[1]));
}

#[test]
fn each_checks_refuses_and_releases_what_the_other_leased() {
    for (maker, taker) in [(0, 1), (1, 0)] {
        let node = Node::new();
        let runners = runners(&node);
        let results = ["a", "b"].map(|container| add(&runners[maker], &node, container));
        check(&runners[taker], "a", &results[0])
            .run(&node)
            .assert_silent();
        let again = call(&runners[taker], &network(), "ADD", "a").run(&node);
        assert!(!again.success(), "a second ADD: {again}");
        check(&runners[maker], "a", &results[0])
            .run(&node)
            .assert_silent();
        del(&runners[taker], &node, "a");
        assert_eq!(leases(&node, "shared").len(), 2, "those of b");
        check(&runners[taker], "a", &results[0]).run(&node).error();
        check(&runners[taker], "b", &results[1])
            .run(&node)
            .assert_silent();
        del(&runners[maker], &node, "a");
        del(&runners[taker], &node, "b");
        assert_eq!(leases(&node, "shared"), [""; 0]);
    }
}

#[test]
fn what_the_other_wrote_long_ago_is_released() {
    let node = Node::new();
    let [ours, go] = runners(&node);
    add(&go, &node, "a");
    // Before its version 0.8 the reference plugin wrote the container's ID alone.
    node.write("/var/lib/cni/networks/shared/10.4.0.10", "a");
    node.write("/var/lib/cni/networks/shared/fd00:4::2", "a\n");
    del(&ours, &node, "a");
    assert_eq!(leases(&node, "shared"), [""; 0]);
}

#[test]
fn what_the_other_left_empty_is_taken_back() {
    let node = Node::new();
    let [ours, go] = runners(&node);
    add(&go, &node, "a");
    for path in ["10.4.0.11", "10.4.0.12"] {
        node.write(format!("/var/lib/cni/networks/shared/{path}"), "");
    }
    assert_eq!(addresses(&add(&ours, &node, "b"))[0], "10.4.0.11/24");
    assert_eq!(addresses(&add(&go, &node, "c"))[0], "10.4.0.12/24");
}

#[test]
fn both_at_once_never_share_an_address() {
    let node = Node::new();
    let runners = runners(&node);
    let all: Vec<_> = (0..80).map(|number| format!("c{number}")).collect();
    let each = |verb: &str, shift: usize| -> Vec<_> {
        let start = |(number, container): (usize, &String)| {
            let runner = &runners[(number + shift) % 2];
            let call = call(runner, &network(), verb, container);
            let place = (*node).clone();
            std::thread::spawn(move || call.run(&place))
        };
        let running: Vec<_> = all.iter().enumerate().map(start).collect();
        running
            .into_iter()
            .map(|call| call.join().expect("the call ends"))
            .collect()
    };
    for _ in 0..2 {
        let results: Vec<_> = each("ADD", 0)
            .iter()
            .map(|outcome| outcome.result())
            .collect();
        let given: BTreeSet<_> = results.iter().flat_map(addresses).collect();
        assert_eq!(given.len(), 160, "an address was given twice");
        assert_eq!(leases(&node, "shared").len(), 160);
        // Each releases what the other leased.
        each("DEL", 1)
            .iter()
            .for_each(|outcome| outcome.assert_silent());
        assert_eq!(leases(&node, "shared"), [""; 0]);
    }
}
