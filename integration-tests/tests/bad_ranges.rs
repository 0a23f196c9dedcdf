// SPDX-License-Identifier: Apache-2.0
//! Ranges and requests that `host-local` cannot serve: refused in the reference plugin's words, by
//! `host-local` alone as through `bridge`, and nothing is changed.

use integration_tests::{Bench, Execution, Network, Runner, bench, binaries, changed};
use serde_json::{Value, json};

/// One set of one range of 10.1.6.0/24, with more keys.
fn range(keys: Value) -> Value {
    let mut range = json!({"subnet": "10.1.6.0/24"});
    for (key, value) in keys.as_object().into_iter().flatten() {
        range[key] = value.clone();
    }
    json!([[range]])
}

fn subnet(subnet: &str) -> Value {
    json!([[{"subnet": subnet}]])
}

/// Values of `ipam.ranges`, and what is said of them.
fn bad_ranges() -> Vec<(Value, &'static str)> {
    let end = |start, end| range(json!({"rangeStart": start, "rangeEnd": end}));
    let halves = |one, other| json!([[{"subnet": one}, {"subnet": other}]]);
    let sets = |one, other| json!([[{"subnet": one}], [{"subnet": other}]]);
    vec![
        (json!([]), "no IP ranges specified"),
        (json!([[]]), "invalid range set 0: empty range set"),
        (
            json!([[{"subnet": "10.1.6.0/24"}], []]),
            "invalid range set 1: empty range set",
        ),
        (
            subnet("10.1.6.9/24"),
            "Network has host bits set. For a subnet mask of length 24 the network address is 10.1.6.0",
        ),
        (
            subnet("fd00::1/64"),
            "Network has host bits set. For a subnet mask of length 64 the network address is fd00::",
        ),
        (
            subnet("10.1.6.0/31"),
            "Network 10.1.6.0/31 too small to allocate from",
        ),
        (
            subnet("10.1.6.1/32"),
            "Network 10.1.6.1/32 too small to allocate from",
        ),
        (
            subnet("fd00::/127"),
            "Network fd00::/127 too small to allocate from",
        ),
        (subnet("10.1.6.0"), "invalid CIDR address: 10.1.6.0"),
        (subnet("10.1.6.0/33"), "invalid CIDR address: 10.1.6.0/33"),
        (subnet("10.1.6/24"), "invalid CIDR address: 10.1.6/24"),
        (subnet("nonsense"), "invalid CIDR address: nonsense"),
        (subnet(""), "invalid CIDR address: "),
        (
            range(json!({"rangeStart": "10.1.7.1"})),
            "RangeStart 10.1.7.1 not in network 10.1.6.0/24",
        ),
        (
            range(json!({"rangeStart": "fd00::1"})),
            "RangeStart fd00::1 not in network 10.1.6.0/24",
        ),
        (
            range(json!({"rangeEnd": "10.1.5.255"})),
            "RangeEnd 10.1.5.255 not in network 10.1.6.0/24",
        ),
        (
            range(json!({"rangeEnd": "10.1.7.0"})),
            "RangeEnd 10.1.7.0 not in network 10.1.6.0/24",
        ),
        (end("10.1.6.20", "10.1.6.10"), "not in network 10.1.6.0/24"),
        (
            range(json!({"rangeStart": "nonsense"})),
            "invalid IP address: nonsense",
        ),
        (
            range(json!({"gateway": "10.1.6.1/24"})),
            "invalid IP address: 10.1.6.1/24",
        ),
        (
            halves("10.1.6.0/24", "fd00::/64"),
            "invalid range set 0: mixed address families",
        ),
        (
            halves("10.1.6.0/24", "10.1.6.128/25"),
            "subnets 10.1.6.1-10.1.6.254 and 10.1.6.129-10.1.6.254 overlap",
        ),
        (
            sets("10.1.6.0/24", "10.1.6.0/25"),
            "range set 0 overlaps with 1",
        ),
        (
            sets("fd00::/64", "fd00::/32"),
            "range set 0 overlaps with 1",
        ),
    ]
}

fn with_ranges(bench: &Bench, plugin: &str, ranges: Value) -> Value {
    let whole = changed(&bench.configuration(), "type", json!(plugin));
    changed(&whole, "ipam.ranges", ranges)
}

#[test]
fn bad_ranges_are_refused() {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    for (ranges, message) in bad_ranges() {
        for plugin in ["host-local", "bridge"] {
            let configuration = with_ranges(&bench, plugin, ranges.clone());
            let call = bench.call_with("ADD", "a", &configuration);
            bench.assert_refuses(&call, 7, &[message]);
        }
    }
    assert_eq!(pod.interfaces(), [""; 0]);
}

#[test]
fn bad_ranges_are_refused_in_the_reference_plugins_words() {
    let bench = Bench::new();
    let runner = Runner::with_plugins(&bench.node, binaries::go_plugins());
    for (ranges, message) in bad_ranges() {
        let configuration = with_ranges(&bench, "host-local", ranges);
        let network = Network::new(configuration);
        let outcome = bench::call(&runner, &network, "ADD", "a").run(&bench.node);
        let (_, text) = outcome.error();
        assert!(text.contains(message), "{text} is not {message}");
    }
}

#[test]
fn a_configuration_that_was_spoilt_later_does_not_keep_the_address() {
    let bench = Bench::new();
    for (ranges, _) in bad_ranges() {
        let _pod = bench.attach("a");
        let configuration = with_ranges(&bench, "bridge", ranges);
        let del = bench.call_with("DEL", "a", &configuration);
        del.run(&bench.node).assert_silent();
        bench.assert_clean();
    }
}

#[test]
fn other_bad_keys_of_host_local_are_refused() {
    let bench = Bench::new();
    let _pod = bench.node.pod("a");
    for (key, value, code, words) in [
        ("ipam.lockTimeout", json!(-1), 7, ["lockTimeout", "-1"]),
        (
            "ipam.lockTimeout",
            json!(1e300),
            7,
            ["lockTimeout", "number of seconds"],
        ),
        (
            "ipam.resolvConf",
            json!("/run/nothing"),
            5,
            ["resolvConf /run/nothing", "No such file"],
        ),
        (
            "ipam.dataDir",
            json!("/dev/null"),
            5,
            ["/dev/null", "Not a directory"],
        ),
        (
            "ipam.routes",
            json!([{"dst": "10.9.0.0"}]),
            7,
            ["ipam.routes[0].dst", "invalid CIDR"],
        ),
        (
            "ipam.routes",
            json!([{"gw": "10.1.5.1"}]),
            7,
            ["ipam.routes[0]", "dst"],
        ),
        (
            "ipam.subnet",
            json!("10.1.5.1/24"),
            7,
            ["range set 0", "host bits"],
        ),
        (
            "ipam.subnet",
            json!("10.1.5.0/25"),
            7,
            ["range set 0 overlaps with 1", ""],
        ),
        (
            "runtimeConfig.ipRanges",
            json!([[{"subnet": "10.1.5.0/25"}]]),
            7,
            ["set 0 overlaps with 1", ""],
        ),
        (
            "runtimeConfig.ips",
            json!(["nonsense"]),
            7,
            ["runtimeConfig.ips[0]", "nonsense"],
        ),
        (
            "args.cni.ips",
            json!(["10.1.5.9/x"]),
            7,
            ["args.cni.ips[0]", "10.1.5.9/x"],
        ),
    ] {
        for plugin in ["host-local", "bridge"] {
            let whole = changed(&bench.configuration(), "type", json!(plugin));
            let call = bench.call_with("ADD", "a", &changed(&whole, key, value.clone()));
            bench.assert_refuses(&call, code, &words);
        }
    }
    let mut without = changed(&bench.configuration(), "type", json!("host-local"));
    without.as_object_mut().unwrap().remove("ipam");
    let call = bench.call_with("ADD", "a", &without);
    bench.assert_refuses(&call, 7, &["IPAM config missing 'ipam' key"]);
}

/// Asserts that a request for addresses is refused, whatever way it takes.
fn assert_not_given(bench: &Bench, addresses: &[&str], words: &[&str]) {
    let refuse = |plugin: &str, call: &dyn Fn(Value) -> Execution| {
        let call = call(changed(&bench.configuration(), "type", json!(plugin)));
        bench.assert_refuses(&call, 103, words);
    };
    for plugin in ["host-local", "bridge"] {
        for key in ["runtimeConfig.ips", "args.cni.ips"] {
            let with = |whole: Value| changed(&whole, key, json!(addresses));
            refuse(plugin, &|whole| bench.call_with("ADD", "a", &with(whole)));
        }
        if let [address] = addresses {
            let args = format!("IgnoreUnknown=1;IP={address}");
            refuse(plugin, &|whole| {
                bench.call_with("ADD", "a", &whole).env("CNI_ARGS", &args)
            });
        }
    }
}

#[test]
fn addresses_that_cannot_be_given_are_refused() {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    let gateway = ["10.1.5.1", "gateway"];
    assert_not_given(&bench, &["10.1.5.1"], &gateway);
    assert_not_given(&bench, &["10.1.5.1/24"], &gateway);
    assert_not_given(&bench, &["fd00:1:5::1"], &["fd00:1:5::1", "gateway"]);
    let taken = ["10.1.5.2", "not available in range set 10.1.5.1-10.1.5.254"];
    assert_not_given(&bench, &["10.1.5.2"], &taken);
    let all = "failed to allocate all requested IPs";
    assert_not_given(&bench, &["10.9.9.9"], &[all, "10.9.9.9"]);
    assert_not_given(&bench, &["10.1.5.0"], &["10.1.5.0"]);
    assert_not_given(&bench, &["10.1.5.255"], &["10.1.5.255"]);
    assert_not_given(&bench, &["10.1.5.8", "10.1.5.9"], &[all, "10.1.5.9"]);
    assert_eq!(pod.interfaces(), [""; 0]);
}

#[test]
fn an_exhausted_range_is_named() {
    let bench = Bench::new();
    let _pod = bench.node.pod("a");
    let only = json!({"subnet": "10.1.5.0/24", "rangeStart": "10.1.5.2", "rangeEnd": "10.1.5.2"});
    for plugin in ["host-local", "bridge"] {
        let configuration = with_ranges(&bench, plugin, json!([[only.clone()]]));
        let call = bench.call_with("ADD", "a", &configuration);
        let words = ["no IP addresses available in range set: 10.1.5.2-10.1.5.2"];
        bench.assert_refuses(&call, 104, &words);
    }
}
