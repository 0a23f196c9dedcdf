// SPDX-License-Identifier: Apache-2.0
//! GC takes away what belongs to attachments that the runtime does not know any more, and nothing
//! else.

use integration_tests::{Bench, Execution, Network, PATIENCE, Pod, State, ping};
use serde_json::{Value, json};

fn assert_alive(bench: &Bench, pod: &Pod) {
    for address in [bench.keeper.ipv4("eth0"), bench.keeper.ipv6("eth0")] {
        assert!(ping(pod, address, PATIENCE), "{address}");
    }
    let checked = bench.runner.check(&bench.network, pod, "eth0");
    assert!(checked.is_ok(), "{checked:?}");
}

/// A GC with the valid attachments under one key of the configuration, or none.
fn gc(bench: &Bench, valid: Option<(&str, Value)>) -> Execution {
    let mut configuration = bench.configuration();
    if let Some((key, valid)) = valid {
        configuration[key] = valid;
    }
    bench.call("GC", "").stdin(configuration.to_string())
}

#[test]
fn stale_attachments_go_and_valid_ones_stay() {
    let mut bench = Bench::new();
    let valid = bench.attach("valid");
    bench.settle();
    let stale = bench.attach("stale");
    // Of this one only what needs no namespace is left.
    bench.attach("vanished").vanish();
    let known = [
        ("keeper", "eth0"),
        ("valid", "eth0"),
        ("unheard-of", "eth0"),
    ];
    bench.runner.gc(&bench.network, &known).unwrap();
    assert_eq!(stale.interfaces(), [""; 0]);
    bench.assert_clean();
    assert_alive(&bench, &valid);
    bench.runner.gc(&bench.network, &known).unwrap();
    bench.assert_clean();
    assert_alive(&bench, &valid);
}

#[test]
fn an_interface_is_stale_though_its_container_is_not() {
    let mut bench = Bench::new();
    let pod = bench.attach("a");
    bench.settle();
    let mut configuration = bench.configuration();
    configuration["ipam"]["routes"] = json!([]);
    let network = Network::new(configuration);
    bench.runner.add(&network, &pod, "net1").unwrap();
    let known = [("keeper", "eth0"), ("a", "eth0")];
    bench.runner.gc(&bench.network, &known).unwrap();
    assert_eq!(pod.interfaces(), ["eth0"]);
    bench.assert_clean();
    assert_alive(&bench, &pod);
}

#[test]
fn without_a_list_nothing_is_changed() {
    let mut bench = Bench::new();
    let pod = bench.attach("a");
    bench.settle();
    gc(&bench, None).run(&bench.node).assert_silent();
    bench.assert_clean();
    assert_alive(&bench, &pod);
}

#[test]
fn cnitool_sends_no_list_and_so_changes_nothing() {
    let mut bench = Bench::new();
    let pod = bench.attach("a");
    bench.node.install(&bench.network);
    bench.settle();
    bench.node.cnitool("gc", "pods", &pod, &[]).assert_silent();
    bench.assert_clean();
    assert_alive(&bench, &pod);
}

#[test]
fn an_empty_list_means_that_all_are_stale() {
    for key in ["cni.dev/valid-attachments", "cni.dev/attachments"] {
        for valid in [json!([]), Value::Null] {
            let bench = Bench::new();
            let pod = bench.attach("a");
            gc(&bench, Some((key, valid)))
                .run(&bench.node)
                .assert_silent();
            assert_eq!(pod.interfaces(), [""; 0]);
            assert_eq!(bench.keeper.interfaces(), [""; 0]);
            assert_eq!(bench.leases(), [""; 0]);
            let left = State::of(&bench.node);
            for what in [
                "nft rule inet podwire masq-pods",
                "\"pods ",
                "master \"cni0\"",
            ] {
                assert_eq!(left.lines_with(what), [""; 0]);
            }
            // The other network is whole, and this one can be used again.
            assert!(ping(&bench.stranger, bench.node.ipv4("cni1"), PATIENCE));
            assert_eq!(left.lines_with("nft set bridge podwire guarded: ").len(), 1);
            assert_eq!(left.lines_with("/networks/cluster/10.1.").len(), 1);
            bench.runner.add(&bench.network, &pod, "eth0").unwrap();
            assert!(ping(&pod, bench.node.ipv4("cni0"), PATIENCE));
        }
    }
}

#[test]
fn the_last_network_takes_the_tables_along() {
    let bench = Bench::new();
    let others = json!({"cniVersion": "1.1.0", "name": "cluster", "type": "bridge",
        "bridge": "cni1", "ipam": {"type": "host-local"}});
    let others = Network::new(others);
    bench.runner.gc(&others, &[]).unwrap();
    assert_eq!(bench.stranger.interfaces(), [""; 0]);
    assert!(ping(&bench.keeper, bench.node.ipv4("cni0"), PATIENCE));
    let checked = bench.runner.check(&bench.network, &bench.keeper, "eth0");
    assert!(checked.is_ok(), "{checked:?}");
    bench.runner.gc(&bench.network, &[]).unwrap();
    assert_eq!(State::of(&bench.node).lines_with("nft"), [""; 0]);
}

#[test]
fn the_ipam_plugin_collects_too() {
    let bench = Bench::new();
    let text = "cat >/run/lab/stdin; echo $CNI_COMMAND >/run/lab/calls";
    let path = bench.script("host-local", text);
    let keeper = json!([{"containerID": "keeper", "ifname": "eth0"}]);
    let call = gc(&bench, Some(("cni.dev/valid-attachments", keeper.clone())));
    call.env("CNI_PATH", path).run(&bench.node).assert_silent();
    assert_eq!(bench.node.read("/run/lab/calls"), "GC\n");
    let told: Value = serde_json::from_str(&bench.node.read("/run/lab/stdin")).unwrap();
    assert_eq!(told["cni.dev/valid-attachments"], keeper);
}

#[test]
fn an_ipam_plugin_that_fails_keeps_nothing_else_from_being_collected() {
    let bench = Bench::new();
    let pod = bench.attach("stale");
    let keeper = json!([{"containerID": "keeper", "ifname": "eth0"}]);
    let call = || gc(&bench, Some(("cni.dev/valid-attachments", keeper.clone())));
    let failed = call().env("CNI_PATH", "/run/lab/nothing").run(&bench.node);
    assert_eq!(failed.error().0, 101, "{failed}");
    assert_eq!(pod.interfaces(), [""; 0]);
    for line in bench.differences() {
        assert!(line.starts_with("+ file /var/lib/cni/networks/"), "{line}");
    }
    call().run(&bench.node).assert_silent();
    bench.assert_clean();
}
