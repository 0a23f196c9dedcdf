// SPDX-License-Identifier: Apache-2.0
//! An ADD that fails, at whichever step, leaves nothing, and the same ADD works once the cause is
//! gone.

use integration_tests::{Bench, PATIENCE, Pod, ping};
use serde_json::json;

use crate::bench;

fn assert_works(bench: &Bench, pod: &Pod) {
    let added = bench.runner.add(&bench.network, pod, "eth0");
    assert!(added.is_ok(), "{added:?}");
    for address in bench.keeper.both_addresses() {
        assert!(ping(pod, address, PATIENCE), "{address}");
    }
    let deleted = bench.runner.del(&bench.network, pod, "eth0");
    assert!(deleted.is_ok(), "{deleted:?}");
    bench.assert_clean();
}

#[test]
fn a_route_that_the_kernel_refuses() {
    let bench = bench();
    let pod = bench.node.pod("a");
    let mut configuration = bench.configuration();
    configuration["ipam"]["routes"][0] = json!({"dst": "198.51.100.0/24", "gw": "203.0.113.1"});
    let call = bench.call_with("ADD", "a", &configuration);
    bench.assert_refuses(&call, 100, &["198.51.100.0/24 via 203.0.113.1"]);
    assert_eq!(pod.interfaces(), [""; 0]);
    assert_works(&bench, &pod);
}

/// Where packets go must not hang on which of two routes is found first.
#[test]
fn a_route_of_somebody_elses_to_the_pods_address() {
    for route in [
        "route add 10.1.5.3 dev eth0",
        "route add fd00:1:5::3 dev eth0",
    ] {
        let mut bench = bench();
        let pod = bench.node.pod("a");
        bench.node.ip(route);
        bench.settle();
        let call = bench.call("ADD", "a");
        bench.assert_refuses(&call, 107, &["already has a route to", "eth0"]);
        assert_eq!(pod.interfaces(), [""; 0]);
        bench.node.ip(&route.replace("add", "delete"));
        bench.settle();
        assert_works(&bench, &pod);
    }
}

#[test]
fn an_interface_that_is_there_already() {
    let mut bench = bench();
    let pod = bench.attach("a");
    bench.settle();
    bench.assert_refuses(&bench.call("ADD", "a"), 102, &["eth0"]);
    for address in bench.keeper.both_addresses() {
        assert!(ping(&pod, address, PATIENCE), "{address}");
    }
    // In another sandbox the same attachment is still there.
    let _other = bench.node.pod("other");
    let call = bench.call("ADD", "a").env("CNI_NETNS", "/run/netns/other");
    bench.assert_refuses(&call, 102, &["in another sandbox"]);
}

#[test]
fn an_ipam_plugin_that_fails_is_told_to_release() {
    let bench = bench();
    let pod = bench.node.pod("a");
    for (says, code) in [
        (r#"echo '{"code": 133, "msg": "not today"}'; exit 1"#, 133),
        ("echo no JSON", 101),
        ("kill -9 $$", 101),
    ] {
        bench.node.write("/run/lab/calls", "");
        let answer = format!("[ $CNI_COMMAND = DEL ] || {{ {says}; }}");
        let path = bench.script(
            "ipam",
            &format!("cat >/dev/null; echo $CNI_COMMAND >>/run/lab/calls; {answer}"),
        );
        let mut configuration = bench.configuration();
        configuration["ipam"] = json!({"type": "ipam"});
        let call = bench.call_with("ADD", "a", &configuration);
        bench.assert_refuses(&call.env("CNI_PATH", path), code, &[]);
        assert_eq!(pod.interfaces(), [""; 0]);
        assert_eq!(bench.node.read("/run/lab/calls"), "ADD\nDEL\n", "{says}");
    }
    assert_works(&bench, &pod);
}

#[test]
fn a_sandbox_that_is_none() {
    let bench = bench();
    for path in ["/run/netns/nowhere", "/run/lab"] {
        let call = bench.call("ADD", "a").env("CNI_NETNS", path);
        bench.assert_refuses(&call, 8, &["failed to open netns", path]);
    }
}
