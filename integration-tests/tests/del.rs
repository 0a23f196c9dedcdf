// SPDX-License-Identifier: Apache-2.0
//! DEL takes away all of an attachment: container interface, host interface, addresses, index and
//! rules, whatever became of the namespace and of the configuration since ADD.

use integration_tests::{Bench, Network, Node, PATIENCE, Place, Pod, Runner, State, bench, ping};
use serde_json::{Value, json};

/// What an attachment is made of, by what its lines in the node's state contain.
const PARTS: [&str; 9] = [
    "link veth",
    "file /var/lib/cni/networks/pods/10.1.5.3",
    "file /var/lib/cni/networks/pods/fd00:1:5::3",
    "file /var/lib/cni/networks/.podwire/pods/",
    "nft map inet podwire pods4",
    "nft map inet podwire pods6",
    "nft set inet podwire peers4",
    "nft set bridge podwire guarded",
    "nft set bridge podwire sources",
];

/// The namespace of a pod whose name is gone: still alive, so the kernel takes nothing away.
fn unnamed(pod: Pod) -> Place {
    (*pod).clone()
}

#[test]
fn an_attachment_is_seen_at_each_place() {
    let bench = Bench::new();
    let _pod = bench.attach("a");
    let made = bench.differences().join("\n");
    for part in PARTS {
        assert!(made.contains(part), "{part} is not among\n{made}");
    }
}

#[test]
fn add_check_del_and_del_again() {
    let bench = Bench::new();
    let pod = bench.attach("a");
    let (runner, network) = (&bench.runner, &bench.network);
    runner.check(network, &pod, "eth0").unwrap();
    for address in [bench.keeper.ipv4("eth0"), bench.keeper.ipv6("eth0")] {
        assert!(ping(&pod, address, PATIENCE), "{address}");
    }
    runner.del(network, &pod, "eth0").unwrap();
    bench.assert_clean();
    assert_eq!(pod.interfaces(), [""; 0]);
    for _ in 0..2 {
        runner.del(network, &pod, "eth0").unwrap();
        bench.assert_clean();
    }
    bench.call("CHECK", "a").run(&bench.node).error();
    runner.add(network, &pod, "eth0").unwrap();
    assert!(ping(&pod, bench.keeper.ipv4("eth0"), PATIENCE));
}

#[test]
fn cnitool_adds_checks_deletes_and_deletes_again() {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    bench.node.install(&bench.network);
    let cnitool = |verb| bench.node.cnitool(verb, "pods", &pod, &[]);
    let result = cnitool("add").result();
    assert_eq!(result["ips"][0]["address"], "10.1.5.3/24");
    assert!(ping(&pod, bench.keeper.ipv4("eth0"), PATIENCE));
    cnitool("check").assert_silent();
    cnitool("del").assert_silent();
    cnitool("del").assert_silent();
    assert_eq!(pod.interfaces(), [""; 0]);
    // cnitool's own cache directory stays.
    let mut left = bench.differences();
    left.retain(|line| !line.starts_with("+ file /var/lib/cni/results"));
    assert_eq!(left, [""; 0]);
}

#[test]
fn del_without_an_add_before_makes_nothing() {
    let node = Node::new();
    let _pod = node.pod("a");
    let runner = Runner::new(&node);
    let network = bench::network("pods", "cni0", &["10.1.5.0/24", "fd00:1:5::/64"]);
    let before = State::of(&node);
    bench::call(&runner, &network, "DEL", "a")
        .run(&node)
        .assert_silent();
    before.assert_nothing_left(&node, &[]);

    let bench = Bench::new();
    let _pod = bench.node.pod("a");
    bench.call("DEL", "a").run(&bench.node).assert_silent();
    bench.assert_clean();
}

#[test]
fn del_needs_no_namespace_path() {
    let bench = Bench::new();
    for netns in ["/run/netns/a", "", "/no/such/directory/a"] {
        let left = unnamed(bench.attach("a"));
        let call = bench.call("DEL", "a").env("CNI_NETNS", netns);
        call.run(&bench.node).assert_silent();
        assert_eq!(left.interfaces(), [""; 0], "CNI_NETNS {netns:?}");
        bench.assert_clean();
    }
}

#[test]
fn del_after_the_kernel_has_ended_the_namespace() {
    let bench = Bench::new();
    bench.attach("a").vanish();
    bench.call("DEL", "a").run(&bench.node).assert_silent();
    bench.assert_clean();
}

#[test]
fn del_takes_a_plain_file_for_a_namespace_that_is_gone() {
    let bench = Bench::new();
    let pod = bench.attach("a");
    let left = (*pod).clone();
    pod.become_plain_file();
    bench.call("DEL", "a").run(&bench.node).assert_silent();
    assert_eq!(left.interfaces(), [""; 0]);
    bench.assert_clean();
}

#[test]
fn del_in_the_hosts_own_namespace_spares_the_host() {
    let bench = Bench::new();
    let left = unnamed(bench.attach("a"));
    // The node has an eth0 of its own, which is not to be mistaken for the pod's.
    let call = bench.call("DEL", "a").env("CNI_NETNS", "/proc/self/ns/net");
    call.run(&bench.node).assert_silent();
    assert_eq!(left.interfaces(), [""; 0]);
    assert!(bench.node.link("eth0").up);
    bench.assert_clean();

    let loopback = bench::call(&bench.runner, &loopback(), "DEL", "a");
    let call = loopback
        .env("CNI_NETNS", "/proc/self/ns/net")
        .env("CNI_IFNAME", "lo");
    call.run(&bench.node).assert_silent();
    assert!(bench.node.link("lo").up);
}

fn loopback() -> Network {
    let configuration = json!({"cniVersion": "1.1.0", "name": "lo", "type": "loopback"});
    Network::new(configuration)
}

#[test]
fn del_needs_no_previous_result() {
    let bench = Bench::new();
    for previous in [Value::Null, json!({}), json!("garbage"), json!({"ips": 7})] {
        let pod = bench.attach("a");
        let mut configuration = bench.configuration();
        configuration["prevResult"] = previous;
        let call = bench.call("DEL", "a").stdin(configuration.to_string());
        call.run(&bench.node).assert_silent();
        assert_eq!(pod.interfaces(), [""; 0]);
        bench.assert_clean();
    }
}

#[test]
fn del_needs_no_valid_configuration() {
    let bench = Bench::new();
    for (pointer, value) in [
        ("/vlan", json!(9999)),
        ("/mtu", json!(-1)),
        ("/mtu", json!("1500")),
        ("/vlanTrunk", json!({"id": "x"})),
        ("/isGateway", json!("yes")),
        ("/bridge", json!("a/name/that/is/none")),
        ("/ipMasqBackend", json!("pf")),
        ("/hairpinMode", json!([true])),
        ("/runtimeConfig", json!({"mac": "no"})),
        ("/ipam/ranges", json!([])),
        ("/ipam/ranges", json!([[{"subnet": "10.1.5.7/24"}]])),
        ("/ipam/ranges", json!("10.1.5.0/24")),
        ("/ipam/routes", json!([{"dst": "nowhere"}])),
        ("/ipam/resolvConf", json!("/no/such/file")),
        ("/ipam/lockTimeout", json!("soon")),
    ] {
        let pod = bench.attach("a");
        let mut configuration = bench.configuration();
        configuration["promiscMode"] = json!(true);
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        configuration.pointer_mut(parent).unwrap()[key] = value;
        let call = bench.call("DEL", "a").stdin(configuration.to_string());
        let outcome = call.run(&bench.node);
        assert!(outcome.success(), "{configuration}: {outcome}");
        assert_eq!(pod.interfaces(), [""; 0], "{configuration}");
        bench.assert_clean();
    }
}

#[test]
fn del_needs_no_valid_arguments() {
    let bench = Bench::new();
    for args in [
        "FOO=bar",
        "IP=10.1.5.3",
        "nonsense",
        "MAC=no;",
        ";;",
        "IgnoreUnknown=maybe",
    ] {
        let pod = bench.attach("a");
        let call = bench.call("DEL", "a").env("CNI_ARGS", args);
        call.run(&bench.node).assert_silent();
        assert_eq!(pod.interfaces(), [""; 0], "{args}");
        bench.assert_clean();
    }
}

#[test]
fn del_without_its_ipam_plugin_fails_and_removes_the_rest() {
    let bench = Bench::new();
    let pod = bench.attach("a");
    let call = bench.call("DEL", "a").env("CNI_PATH", "/run/lab/nothing");
    let (code, _) = call.run(&bench.node).error();
    assert_eq!(code, 101);
    assert_eq!(pod.interfaces(), [""; 0]);
    let left = bench.differences();
    assert!(!left.is_empty(), "the addresses are still leased");
    for line in &left {
        assert!(
            line.starts_with("+ file /var/lib/cni/networks/"),
            "{left:?}"
        );
    }
    bench.call("DEL", "a").run(&bench.node).assert_silent();
    bench.assert_clean();
}
