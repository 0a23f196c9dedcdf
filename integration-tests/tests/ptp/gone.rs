// SPDX-License-Identifier: Apache-2.0
//! DEL with whatever is left, and GC: all of the attachment goes, and nothing else.

use integration_tests::{BRIEFLY, PATIENCE, Pod, ping};
use serde_json::{Value, json};

use crate::bench;

#[test]
fn del_takes_all_and_twice_is_as_once() {
    let bench = bench();
    let pod = bench.attach("a");
    assert!(bench.differences().len() > 6, "{:?}", bench.differences());
    for _ in 0..2 {
        bench.runner.del(&bench.network, &pod, "eth0").unwrap();
        assert_eq!(pod.interfaces(), [""; 0]);
        bench.assert_clean();
    }
}

#[test]
fn del_needs_neither_sandbox_nor_result_nor_a_valid_configuration() {
    let broken = json!({"mtu": -1, "ipMasqBackend": "x", "nonMasqueradeCIDRs": ["all"]});
    for netns in ["", "/run/netns/nowhere", "/run/lab"] {
        let bench = bench();
        let _pod = bench.attach("a");
        let mut configuration = bench.configuration();
        for (key, value) in broken.as_object().unwrap() {
            configuration[key] = value.clone();
        }
        let call = bench.call_with("DEL", "a", &configuration);
        call.env("CNI_NETNS", netns)
            .run(&bench.node)
            .assert_silent();
        bench.assert_clean();
    }
}

#[test]
fn del_finds_what_a_sandbox_that_is_gone_left() {
    let bench = bench();
    let path = bench.attach("a").vanish();
    let call = bench.call("DEL", "a");
    call.env("CNI_NETNS", path.display().to_string())
        .run(&bench.node)
        .assert_silent();
    bench.assert_clean();
}

/// A DEL follows an ADD that failed because its name was taken: it is not its to take.
#[test]
fn del_spares_an_interface_that_another_made() {
    let mut bench = bench();
    let pod = bench.node.pod("a");
    bench.node.ip("link add theirs type veth peer eth0 netns a");
    bench.node.ip("address add 10.99.0.1/24 dev theirs");
    bench.settle();
    bench.call("DEL", "a").run(&bench.node).assert_silent();
    assert_eq!(pod.interfaces(), ["eth0"]);
    bench.assert_clean();
    // Nor that of another attachment of ours.
    let other = bench.attach("b");
    let call = bench
        .call("DEL", "c")
        .env("CNI_NETNS", other.netns().display().to_string());
    call.run(&bench.node).assert_silent();
    assert_eq!(other.interfaces(), ["eth0"]);
}

fn assert_alive(pod: &Pod, peer: &Pod) {
    for address in peer.both_addresses() {
        assert!(ping(pod, address, PATIENCE), "{address}");
    }
}

#[test]
fn gc_takes_what_is_stale_and_keeps_what_is_valid() {
    let mut bench = bench();
    let valid = bench.attach("valid");
    bench.settle();
    let stale = bench.attach("stale");
    bench.attach("vanished").vanish();
    let known = [
        ("keeper", "eth0"),
        ("valid", "eth0"),
        ("unheard-of", "eth0"),
    ];
    for _ in 0..2 {
        bench.runner.gc(&bench.network, &known).unwrap();
        assert_eq!(stale.interfaces(), [""; 0]);
        bench.assert_clean();
        assert_alive(&valid, &bench.keeper);
        bench.runner.check(&bench.network, &valid, "eth0").unwrap();
    }
    // Of the other network everything is there.
    assert!(ping(&bench.stranger, bench.node.ipv4("cni1"), PATIENCE));
}

#[test]
fn gc_without_a_list_changes_nothing_and_an_empty_one_means_all() {
    let bench = bench();
    let pod = bench.attach("a");
    bench.call("GC", "").run(&bench.node).assert_silent();
    assert_alive(&pod, &bench.keeper);
    let mut configuration = bench.configuration();
    configuration["cni.dev/valid-attachments"] = Value::Null;
    let call = bench.call_with("GC", "", &configuration);
    call.run(&bench.node).assert_silent();
    assert_eq!(pod.interfaces(), [""; 0]);
    assert_eq!(bench.keeper.interfaces(), [""; 0]);
    assert_eq!(bench.leases(), [""; 0]);
    assert!(!ping(&bench.node, "10.1.5.2".parse().unwrap(), BRIEFLY));
    bench.runner.add(&bench.network, &pod, "eth0").unwrap();
    assert!(ping(&pod, "10.1.5.1".parse().unwrap(), PATIENCE));
}
