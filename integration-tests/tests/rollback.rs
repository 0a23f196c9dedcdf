// SPDX-License-Identifier: Apache-2.0
//! An ADD that fails, at whichever step, leaves nothing of the attachment, and the same ADD for the
//! same namespace works once the cause is gone.

use integration_tests::bench::{self, leases, script};
use integration_tests::{Bench, Execution, Node, PATIENCE, Pod, Runner, State, binaries, ping};
use serde_json::{Value, json};

/// Lets an ADD fail with `code`, and demands that nothing is left of it.
fn assert_fails(bench: &Bench, pod: &Pod, call: &Execution, code: u64) {
    let outcome = call.run(&bench.node);
    assert_eq!(outcome.error().0, code, "{outcome}");
    assert_eq!(pod.interfaces(), [""; 0], "{outcome}");
    bench.assert_clean();
}

/// Attaches a pod to which an ADD has failed before, and takes it away again.
fn assert_works(bench: &Bench, pod: &Pod) {
    let added = bench.runner.add(&bench.network, pod, "eth0");
    assert!(added.is_ok(), "{added:?}");
    for address in [bench.keeper.ipv4("eth0"), bench.keeper.ipv6("eth0")] {
        assert!(ping(pod, address, PATIENCE), "{address}");
    }
    let deleted = bench.runner.del(&bench.network, pod, "eth0");
    assert!(deleted.is_ok(), "{deleted:?}");
    bench.assert_clean();
}

fn add(bench: &Bench, change: impl FnOnce(&mut Value)) -> Execution {
    let mut configuration = bench.configuration();
    change(&mut configuration);
    bench.call("ADD", "a").stdin(configuration.to_string())
}

#[test]
fn a_route_that_the_kernel_refuses() {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    let unreachable = json!({"dst": "198.51.100.0/24", "gw": "203.0.113.1"});
    let call = add(&bench, |conf| conf["ipam"]["routes"][0] = unreachable);
    assert_fails(&bench, &pod, &call, 100);
    assert_works(&bench, &pod);
}

#[test]
fn an_address_on_the_bridge_that_is_in_the_gateways_way() {
    let mut bench = Bench::new();
    let pod = bench.node.pod("a");
    bench.node.ip("address delete 10.1.5.1/24 dev cni0");
    bench.node.ip("address add 10.1.5.254/24 dev cni0");
    bench.settle();
    assert_fails(&bench, &pod, &add(&bench, |_| ()), 107);
    bench.node.ip("address delete 10.1.5.254/24 dev cni0");
    bench.node.ip("address add 10.1.5.1/24 dev cni0");
    bench.settle();
    assert_works(&bench, &pod);
}

#[test]
fn a_bridge_name_that_is_something_else() {
    let mut bench = Bench::new();
    let pod = bench.node.pod("a");
    bench.node.ip("link add taken type veth peer name other");
    bench.settle();
    let call = add(&bench, |conf| conf["bridge"] = json!("taken"));
    assert_fails(&bench, &pod, &call, 107);
    assert_works(&bench, &pod);
}

#[test]
fn an_exhausted_range() {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    let full = json!({"subnet": "10.1.5.0/24", "rangeStart": "10.1.5.2", "rangeEnd": "10.1.5.2"});
    // The second set: the first one's address has been handed out when this one has none.
    let call = add(&bench, |conf| {
        let ranges = conf["ipam"]["ranges"].as_array_mut().unwrap();
        ranges.reverse();
        ranges[1][0] = full;
    });
    assert_fails(&bench, &pod, &call, 104);
    assert_works(&bench, &pod);
}

#[test]
fn an_ipam_plugin_that_is_missing() {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    let call = add(&bench, |_| ()).env("CNI_PATH", "/run/lab/nothing");
    assert_fails(&bench, &pod, &call, 101);
    assert_works(&bench, &pod);
}

#[test]
fn an_ipam_plugin_that_fails_or_talks_nonsense_is_told_to_release() {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    for (says, code) in [
        (r#"echo '{"code": 133, "msg": "not today"}'; exit 1"#, 133),
        ("echo no JSON", 101),
        ("exit 0", 101),
        ("exit 3", 101),
        ("kill -9 $$", 101),
        (r#"echo '{"cniVersion": "1.1.0", "ips": []}'"#, 101),
        (
            r#"echo '{"cniVersion": "1.1.0", "ips": [{"address": "10.1.5.77"}]}'"#,
            101,
        ),
        // The kernel knows no way to this gateway.
        (
            r#"echo '{"cniVersion": "1.1.0", "ips": [{"address": "10.1.5.77/24"}],
                "routes": [{"dst": "198.51.100.0/24", "gw": "203.0.113.1"}]}'"#,
            100,
        ),
    ] {
        bench.node.write("/run/lab/calls", "");
        let answer = format!("[ $CNI_COMMAND = DEL ] || {{ {says}; }}");
        let path = bench.script(
            "ipam",
            &format!("cat >/dev/null; echo $CNI_COMMAND >>/run/lab/calls; {answer}"),
        );
        let call = add(&bench, |conf| conf["ipam"] = json!({"type": "ipam"}));
        assert_fails(&bench, &pod, &call.env("CNI_PATH", path), code);
        assert_eq!(bench.node.read("/run/lab/calls"), "ADD\nDEL\n", "{says}");
    }
    assert_works(&bench, &pod);
}

#[test]
fn a_bridge_deleted_meanwhile() {
    let node = Node::new();
    let (runner, pod) = (Runner::new(&node), node.pod("a"));
    let network = bench::network("pods", "cni0", &["10.1.5.0/24"]);
    let real = binaries::plugins().display();
    // Once the bridge has a port, somebody deletes it; only then are there addresses.
    let until = "until ip link show master cni0 2>/dev/null | grep -q veth; do :; done";
    let text = format!("[ $CNI_COMMAND = DEL ] || {{ {until}; ip link delete cni0; }}");
    let path = script(
        &node,
        "host-local",
        &format!("{text}\nexec {real}/host-local"),
    );
    let add = bench::call(&runner, &network, "ADD", "a");

    add.clone().env("CNI_PATH", path).run(&node).error();
    assert_eq!(pod.interfaces(), [""; 0]);
    assert_eq!(node.interfaces(), [""; 0]);
    assert_eq!(leases(&node, "pods"), [""; 0]);
    assert_eq!(State::of(&node).lines_with("veth"), [""; 0]);
    add.run(&node).result();
    assert!(ping(&node, pod.ipv4("eth0"), PATIENCE));
}

#[test]
fn a_firewall_table_that_refuses() {
    for obstacle in [
        "add chain inet podwire postrouting { type filter hook postrouting priority 0 ; }",
        "add chain inet podwire exempt { type filter hook input priority 0 ; }",
        "add set inet podwire pods4 { type inet_service ; }",
        "add chain bridge podwire prerouting { type filter hook output priority 0 ; }",
        "add chain bridge podwire prerouting { type filter hook prerouting priority 7 ; }",
        "add chain bridge podwire prerouting",
        "add set bridge podwire sources { type ether_addr ; }",
    ] {
        let node = Node::new();
        let (runner, pod) = (Runner::new(&node), node.pod("a"));
        let network = bench::network("pods", "cni0", &["10.1.5.0/24"]);
        let family = obstacle.split(' ').nth(2).unwrap();
        node.tool("nft", &format!("add table {family} podwire"));
        node.tool("nft", obstacle);
        let before = State::of(&node);

        let outcome = bench::call(&runner, &network, "ADD", "a").run(&node);
        assert_eq!(outcome.error().0, 106, "{obstacle}: {outcome}");
        assert_eq!(pod.interfaces(), [""; 0]);
        assert_eq!(leases(&node, "pods"), [""; 0]);
        let kept = [
            "cni0",
            "/var/lib/cni/networks",
            "podwire/pods",
            "bridge podwire",
        ];
        before.assert_nothing_left(&node, &kept);
        assert_eq!(
            State::of(&node).lines_with("\"veth"),
            [""; 0],
            "elements of the pod"
        );

        node.tool("nft", &format!("delete table {family} podwire"));
        runner.add(&network, &pod, "eth0").unwrap();
        assert!(ping(&node, pod.ipv4("eth0"), PATIENCE));
    }
}

#[test]
fn kernel_settings_that_cannot_be_written() {
    let node = Node::new();
    let (runner, pod) = (Runner::new(&node), node.pod("a"));
    let network = bench::network("pods", "cni0", &["10.1.5.0/24"]);
    node.tool("mount", "-n --bind /proc/sys /proc/sys");
    node.tool("mount", "-n -o remount,bind,ro /proc/sys");

    let outcome = bench::call(&runner, &network, "ADD", "a").run(&node);
    let (code, text) = outcome.error();
    assert_eq!(code, 100, "{outcome}");
    assert!(text.contains("ip_forward"), "{text}");
    assert_eq!(pod.interfaces(), [""; 0]);
    assert_eq!(node.interfaces(), ["cni0"]);
    assert_eq!(leases(&node, "pods"), [""; 0]);

    node.tool("umount", "-n /proc/sys");
    runner.add(&network, &pod, "eth0").unwrap();
    assert!(ping(&node, pod.ipv4("eth0"), PATIENCE));
}

#[test]
fn read_only_kernel_settings_that_are_right_already_are_no_obstacle() {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    bench.node.tool("mount", "-n --bind /proc/sys /proc/sys");
    bench.node.tool("mount", "-n -o remount,bind,ro /proc/sys");
    assert_works(&bench, &pod);
}
