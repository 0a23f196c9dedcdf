// SPDX-License-Identifier: Apache-2.0
//! Names that are taken: an ADD that meets one fails and harms nobody, and the DEL that a runtime
//! sends after it takes nothing of the other's.

use std::process::Command;

use integration_tests::{Bench, Network, PATIENCE, Pod, bench, ping};
use serde_json::json;

/// Asserts that the attachment of `pod` to `pods` is whole, by its packets and by CHECK.
fn assert_alive(bench: &Bench, pod: &Pod) {
    for address in [bench.keeper.ipv4("eth0"), bench.keeper.ipv6("eth0")] {
        assert!(ping(pod, address, PATIENCE), "{address}");
    }
    let checked = bench.runner.check(&bench.network, pod, "eth0");
    assert!(checked.is_ok(), "{checked:?}");
}

#[test]
fn a_second_add_fails_and_the_living_attachment_stays_whole() {
    let mut bench = Bench::new();
    let pod = bench.attach("a");
    bench.settle();
    for _ in 0..3 {
        let outcome = bench.call("ADD", "a").run(&bench.node);
        assert_eq!(outcome.error().0, 102, "{outcome}");
        bench.assert_clean();
        assert_alive(&bench, &pod);
    }
}

#[test]
fn a_second_add_for_another_namespace_fails_and_the_first_stays_whole() {
    let mut bench = Bench::new();
    let pod = bench.attach("a");
    let other = bench.node.pod("b");
    bench.settle();
    let call = bench.call("ADD", "a").env("CNI_NETNS", "/run/netns/b");
    let outcome = call.run(&bench.node);
    assert_eq!(outcome.error().0, 102, "{outcome}");
    assert_eq!(other.interfaces(), [""; 0]);
    bench.assert_clean();
    assert_alive(&bench, &pod);
}

#[test]
fn the_same_add_by_many_at_once_ends_whole_or_not_at_all() {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    for _ in 0..5 {
        let add = bench.call("ADD", "a");
        let calls: Vec<_> = (0..6)
            .map(|_| {
                let (add, node) = (add.clone(), (*bench.node).clone());
                std::thread::spawn(move || add.run(&node))
            })
            .collect();
        let outcomes: Vec<_> = calls.into_iter().map(|call| call.join().unwrap()).collect();
        let results: Vec<_> = outcomes
            .iter()
            .filter(|outcome| outcome.success())
            .collect();
        assert!(results.len() <= 1, "{outcomes:?}");
        match results.first() {
            None => bench.assert_clean(),
            Some(result) => {
                let mut configuration = bench.configuration();
                configuration["prevResult"] = result.json();
                let check = bench.call("CHECK", "a").stdin(configuration.to_string());
                check.run(&bench.node).assert_silent();
                assert!(ping(&pod, bench.keeper.ipv4("eth0"), PATIENCE));
            }
        }
        bench.call("DEL", "a").run(&bench.node).assert_silent();
        assert_eq!(pod.interfaces(), [""; 0]);
        bench.assert_clean();
    }
}

#[test]
fn an_interface_of_another_network_is_not_taken_by_the_del_after_a_failed_add() {
    let mut bench = Bench::new();
    let pod = bench.attach("a");
    bench.settle();
    let other = bench::network("other", "cni2", &["10.2.0.0/24"]);
    let failed = bench.runner.add(&other, &pod, "eth0").unwrap_err();
    assert_eq!(failed.error().0, 102, "{failed}");
    for netns in ["/run/netns/a", ""] {
        bench.runner.del_with(&other, "a", netns, "eth0").unwrap();
        bench.assert_clean();
        assert_alive(&bench, &pod);
    }
}

#[test]
fn an_interface_of_another_container_is_not_taken_by_the_del_after_a_failed_add() {
    let mut bench = Bench::new();
    let pod = bench.attach("a");
    bench.settle();
    // The same namespace by another container ID: containers of one pod, to a confused runtime.
    let call = |verb| bench.call(verb, "b").env("CNI_NETNS", "/run/netns/a");
    assert_eq!(call("ADD").run(&bench.node).error().0, 102);
    call("DEL").run(&bench.node).assert_silent();
    bench.assert_clean();
    assert_alive(&bench, &pod);
}

#[test]
fn an_interface_that_somebody_else_made_is_not_taken() {
    let mut bench = Bench::new();
    let pod = bench.node.pod("a");
    bench.node.connect("byhand", &pod, "eth0", 1500);
    bench
        .node
        .add_address("byhand", "10.3.0.1/24".parse().unwrap());
    bench.settle();
    let outcome = bench.call("ADD", "a").run(&bench.node);
    assert_eq!(outcome.error().0, 102, "{outcome}");
    bench.assert_clean();
    bench.call("DEL", "a").run(&bench.node).assert_silent();
    bench.assert_clean();
    assert_eq!(pod.interfaces(), ["eth0"]);
}

#[test]
fn a_host_interface_of_somebody_else_is_not_taken() {
    let mut bench = Bench::new();
    let pod = bench.attach("a");
    let result = bench.runner.result(&bench.network, "a", "eth0").unwrap();
    let name = result["interfaces"][1]["name"].as_str().unwrap().to_owned();
    bench.runner.del(&bench.network, &pod, "eth0").unwrap();
    for kind in ["bridge", "veth peer name byhand"] {
        bench.node.ip(&format!("link add {name} type {kind}"));
        bench.node.ip(&format!("link set {name} alias mine"));
        bench.settle();
        let outcome = bench.call("ADD", "a").run(&bench.node);
        assert_eq!(outcome.error().0, 107, "{outcome}");
        bench.assert_clean();
        bench.call("DEL", "a").run(&bench.node).assert_silent();
        bench.assert_clean();
        bench.node.ip(&format!("link delete {name}"));
        bench.settle();
        bench.runner.add(&bench.network, &pod, "eth0").unwrap();
        assert_alive(&bench, &pod);
        bench.runner.del(&bench.network, &pod, "eth0").unwrap();
    }
}

#[test]
fn a_pair_that_a_killed_add_left_unnamed_is_known_as_this_attachments() {
    let bench = Bench::new();
    let first = bench.attach("a");
    let result = bench.runner.result(&bench.network, "a", "eth0").unwrap();
    let name = result["interfaces"][1]["name"].as_str().unwrap();
    let set = ["link", "set", name, "alias", ""];
    let set = bench.node.output(Command::new("ip").args(set));
    assert!(set.success(), "{set}");
    let call = bench.call("ADD", "a").env("CNI_NETNS", "/run/netns/b");
    let second = bench.node.pod("b");
    let (code, text) = call.run(&bench.node).error();
    assert!(code == 102 && text.contains("DEL"), "{code} {text}");
    assert!(second.interfaces().is_empty());
    assert_eq!(first.interfaces(), ["eth0"]);
}

#[test]
fn two_interfaces_of_one_pod_live_and_end_apart() {
    let mut bench = Bench::new();
    let pod = bench.attach("a");
    bench.settle();
    let mut without_routes = bench.configuration();
    without_routes["ipam"]["routes"] = json!([]);
    let network = Network::new(without_routes);
    bench.runner.add(&network, &pod, "net1").unwrap();
    assert_eq!(pod.interfaces(), ["eth0", "net1"]);
    bench.runner.del(&network, &pod, "net1").unwrap();
    assert_eq!(pod.interfaces(), ["eth0"]);
    bench.assert_clean();
    assert_alive(&bench, &pod);
}
