// SPDX-License-Identifier: Apache-2.0
//! Values that `bridge` cannot do anything sensible with: refused with a sentence that names them,
//! and nothing is changed.

use integration_tests::{Bench, Execution, Network, Node, PATIENCE, Runner, bench, changed, ping};
use serde_json::{Value, json};

/// An ADD of pod `a` with some other values in the configuration of network `pods`.
fn add(bench: &Bench, changes: &[(&str, Value)]) -> Execution {
    let whole = changes
        .iter()
        .fold(bench.configuration(), |whole, (key, value)| {
            changed(&whole, key, value.clone())
        });
    bench.call_with("ADD", "a", &whole)
}

/// The same, and in a way that STATUS can say beforehand.
fn assert_refused(bench: &Bench, changes: &[(&str, Value)], words: &[&str]) {
    let add = add(bench, changes);
    bench.assert_refuses(&add, 7, words);
    let status = add.env("CNI_COMMAND", "STATUS");
    bench.assert_refuses(&status, 7, words);
}

#[test]
fn values_out_of_range_are_refused() {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    let long = "a-name-of-sixteen";
    for (key, value, words) in [
        (
            "bridge",
            json!(long),
            ["bridge name", long, "longer than 15 bytes"],
        ),
        (
            "bridge",
            json!("br/0"),
            ["bridge name", "br/0", "not a legal interface name"],
        ),
        (
            "bridge",
            json!("br:0"),
            ["bridge name", "br:0", "not a legal interface name"],
        ),
        (
            "bridge",
            json!("br 0"),
            ["bridge name", "br 0", "not a legal interface name"],
        ),
        (
            "bridge",
            json!(".."),
            ["bridge name", "..", "not a legal interface name"],
        ),
        (
            "bridge",
            json!("br%d"),
            ["bridge name", "br%d", "not a legal interface name"],
        ),
        ("mtu", json!(67), ["mtu", "67", "between 68 and 65535"]),
        (
            "mtu",
            json!(65_536),
            ["mtu", "65536", "between 68 and 65535"],
        ),
        ("mtu", json!(-1), ["mtu", "-1", "between 68 and 65535"]),
        ("vlan", json!(-1), ["VLAN ID", "-1", "between 0 and 4094"]),
        (
            "vlan",
            json!(4095),
            ["VLAN ID", "4095", "between 0 and 4094"],
        ),
        (
            "vlan",
            json!(4_294_967_297_i64),
            ["VLAN ID", "4294967297", "between 0 and 4094"],
        ),
        (
            "ipMasqBackend",
            json!("ipfw"),
            ["unknown ipmasq backend", "ipfw", ""],
        ),
        (
            "nonMasqueradeCIDRs",
            json!(["10.0.0.0"]),
            ["CIDRs[0]", "invalid CIDR address", "10.0.0.0"],
        ),
        (
            "nonMasqueradeCIDRs",
            json!(["10.0.0.0/33"]),
            ["CIDRs[0]", "invalid CIDR", "10.0.0.0/33"],
        ),
        (
            "runtimeConfig.mac",
            json!("nonsense"),
            ["runtimeConfig.mac", "nonsense", "invalid MAC"],
        ),
        (
            "runtimeConfig.mac",
            json!("02:00:00:00:00"),
            ["runtimeConfig.mac", "02:", "invalid MAC"],
        ),
        (
            "args.cni.mac",
            json!("ff:ff:ff:ff:ff:ff"),
            ["args.cni.mac", "ff:ff", "multicast"],
        ),
        (
            "args.cni.mac",
            json!("00:00:00:00:00:00"),
            ["args.cni.mac", "00:00", "zero"],
        ),
    ] {
        assert_refused(&bench, &[(key, value)], &words);
    }
    assert_eq!(pod.interfaces(), [""; 0]);
}

#[test]
fn numbers_that_no_integer_holds_are_refused() {
    let bench = Bench::new();
    let _pod = bench.node.pod("a");
    for (key, number) in ["mtu", "vlan"]
        .iter()
        .flat_map(|key| ["1e21", "1500.5", "-0.1", "18446744073709551616"].map(|n| (key, n)))
    {
        let whole = changed(&bench.configuration(), key, json!("NUMBER")).to_string();
        let call = bench
            .call("ADD", "a")
            .stdin(whole.replace("\"NUMBER\"", number));
        let (code, text) = call.run(&bench.node).error();
        assert!(
            [6, 7].contains(&code) && text.contains(key),
            "{number}: {text}"
        );
        bench.assert_clean();
    }
}

#[test]
fn keys_that_exclude_each_other_are_refused() {
    let bench = Bench::new();
    let _pod = bench.node.pod("a");
    let both = [("hairpinMode", json!(true)), ("promiscMode", json!(true))];
    assert_refused(
        &bench,
        &both,
        &["hairpin mode and promiscuous mode at the same time"],
    );
    let down = [("disableContainerInterface", json!(true))];
    assert_refused(
        &bench,
        &down,
        &["cannot use IPAM when DisableContainerInterface flag is set"],
    );
    let long = [("bridge", json!("eleven-char")), ("vlan", json!(4000))];
    assert_refused(
        &bench,
        &long,
        &["vlan", "eleven-char.4000", "longer than 15 bytes"],
    );
}

#[test]
fn trunks_that_make_no_sense_are_refused() {
    let bench = Bench::new();
    let _pod = bench.node.pod("a");
    let both = "minID and maxID should be configured simultaneously";
    for (trunk, words) in [
        (
            json!([{"id": 0}]),
            ["incorrect trunk id parameter 0", "between 1 and 4094"],
        ),
        (
            json!([{"id": 5}, {"id": 4095}]),
            ["incorrect trunk id parameter 4095", "4094"],
        ),
        (
            json!([{"minID": 0, "maxID": 5}]),
            ["incorrect trunk minID parameter 0", "4094"],
        ),
        (
            json!([{"minID": 5, "maxID": 4095}]),
            ["incorrect trunk maxID parameter 4095", "4094"],
        ),
        (
            json!([{"minID": -5, "maxID": 5}]),
            ["incorrect trunk minID parameter -5", "4094"],
        ),
        (
            json!([{"minID": 9, "maxID": 5}]),
            ["minID is greater than maxID", "9 > 5"],
        ),
        (json!([{"minID": 9}]), [both, "maxID is missing"]),
        (json!([{"maxID": 9}]), [both, "minID is missing"]),
    ] {
        assert_refused(&bench, &[("vlanTrunk", trunk)], &words);
    }
}

#[test]
fn a_bridge_name_that_something_else_has_is_refused() {
    let mut bench = Bench::new();
    let _pod = bench.node.pod("a");
    bench.node.ip("link add veth-a type veth peer name veth-b");
    bench.settle();
    for name in ["veth-a", "eth0", "lo"] {
        let add = add(&bench, &[("bridge", json!(name))]);
        let words = [name, "already exists but is not a bridge"];
        bench.assert_refuses(&add, 107, &words);
        bench.assert_refuses(&add.env("CNI_COMMAND", "STATUS"), 50, &words);
    }
}

#[test]
fn an_address_on_the_bridge_that_is_in_the_way_is_named() {
    let mut bench = Bench::new();
    let _pod = bench.node.pod("a");
    bench.node.ip("link add br0 type bridge");
    bench.node.ip("address add 10.1.5.254/24 dev br0");
    bench.node.ip("link set br0 up");
    bench.settle();
    let words = [
        "\"br0\" already has an IP address different from 10.1.5.1/24",
        "it has 10.1.5.254/24",
        "forceAddress",
    ];
    let add = add(&bench, &[("bridge", json!("br0"))]);
    add.run(&bench.node).assert_refused(107, &words);
    assert_eq!(bench.differences(), [""; 0]);
}

#[test]
fn a_plugin_name_that_cannot_be_one_is_refused() {
    let bench = Bench::new();
    let _pod = bench.node.pod("a");
    for name in ["../host-local", "/bin/true", "a/b"] {
        let call = add(&bench, &[("ipam.type", json!(name))]);
        bench.assert_refuses(&call, 7, &["invalid plugin name", name]);
    }
}

#[test]
fn without_addresses_a_gateway_is_nothing_and_no_error() {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    let keys = json!({"bridge": "cni0", "isGateway": true, "ipMasq": true});
    let network = Network::of_layer2("flat", keys);
    bench.runner.add(&network, &pod, "eth0").unwrap();
    bench.runner.check(&network, &pod, "eth0").unwrap();
    bench.runner.del(&network, &pod, "eth0").unwrap();
    bench.assert_clean();
}

/// The kernel would lower the bridge's MTU to that of the port, and take IPv6 from all of its pods.
#[test]
fn an_mtu_that_ends_ipv6_of_the_bridge_is_refused() {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    let words = ["invalid mtu 1279", "1280 or more", "fd00:1:5::1/64"];
    for gateway in [true, false] {
        let changes = [("mtu", json!(1279)), ("isGateway", json!(gateway))];
        bench.assert_refuses(&add(&bench, &changes), 7, &words);
        assert_eq!(pod.interfaces(), [""; 0]);
    }
    assert!(ping(&bench.keeper, bench.node.ipv6("cni0"), PATIENCE));
}

/// Where there is no bridge yet, the addresses are known when the IPAM plugin has been asked.
#[test]
fn an_mtu_that_ipv6_cannot_do_with_is_refused() {
    let node = Node::new();
    let runner = Runner::new(&node);
    for gateway in [true, false] {
        let keys = json!({"mtu": 1279, "isGateway": gateway});
        let network = Network::of_bridge("podnet", &["10.88.0.0/24", "fd00:88::/64"], keys);
        let pod = node.any_pod();
        let (code, msg) = runner.add(&network, &pod, "eth0").unwrap_err().error();
        assert_eq!(code, 7, "{msg}");
        assert!(
            msg.contains("1280 or more for the address fd00:88::"),
            "{msg}"
        );
        assert_eq!(pod.interfaces(), [""; 0]);
        assert_eq!(bench::leases(&node, "podnet"), [""; 0]);
    }
}
