// SPDX-License-Identifier: Apache-2.0
//! CNI_ARGS: read by the plugins that use it, and by nobody else.

use integration_tests::{Bench, Execution};
use serde_json::json;

/// A call of one plugin of network `pods` for `eth0` of pod `a`, with these CNI_ARGS.
fn call(bench: &Bench, plugin: &str, args: &str) -> Execution {
    let mut configuration = bench.configuration();
    configuration["type"] = json!(plugin);
    let call = bench.call_with("ADD", "a", &configuration);
    call.env("CNI_ARGS", args)
}

#[test]
fn args_are_read_by_those_who_use_them_and_obeyed() {
    let bench = Bench::new();
    let _pod = bench.node.pod("a");
    for (args, words) in [
        ("MAC", "CNI_ARGS: invalid pair \"MAC\""),
        ("IgnoreUnknown=1;", "CNI_ARGS: invalid pair \"\""),
        ("A=b=c;IgnoreUnknown=1", "CNI_ARGS: invalid pair \"A=b=c\""),
        (
            "K8S_POD_NAME=a;x=y",
            "CNI_ARGS: unknown args [\"K8S_POD_NAME=a\" \"x=y\"]",
        ),
        (
            "K8S_POD_NAME=a;IgnoreUnknown=0",
            "CNI_ARGS: unknown args [\"K8S_POD_NAME=a\"]",
        ),
        ("IgnoreUnknown=perhaps", "IgnoreUnknown=perhaps"),
        (
            "mac=02:00:00:00:00:01",
            "unknown args [\"mac=02:00:00:00:00:01\"]",
        ),
    ] {
        for plugin in ["bridge", "host-local"] {
            let call = call(&bench, plugin, args);
            bench.assert_refuses(&call, 4, &["CNI_ARGS", words]);
            call.env("CNI_COMMAND", "DEL")
                .run(&bench.node)
                .assert_silent();
        }
        let call = call(&bench, "loopback", args);
        call.run(&bench.node).result();
    }
    let kubernetes = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=a;IP=10.1.5.77;\
                      MAC=02:00:00:00:00:77";
    let add = bench.call("ADD", "a").env("CNI_ARGS", kubernetes);
    let result = add.run(&bench.node).result();
    assert_eq!(result["interfaces"][2]["mac"], "02:00:00:00:00:77");
    assert_eq!(result["ips"][0]["address"], "10.1.5.77/24");
}

#[test]
fn bad_values_in_args_are_named() {
    let bench = Bench::new();
    let _pod = bench.node.pod("a");
    for (plugin, args, words) in [
        (
            "bridge",
            "MAC=nonsense",
            ["MAC of CNI_ARGS", "nonsense", "invalid MAC address"],
        ),
        (
            "bridge",
            "MAC=01:00:00:00:00:01",
            ["MAC of CNI_ARGS", "01:00:00:00:00:01", "multicast"],
        ),
        (
            "bridge",
            "MAC=00:00:00:00:00:00",
            ["MAC of CNI_ARGS", "00:00:00:00:00:00", "zero"],
        ),
        (
            "host-local",
            "IP=nonsense",
            ["CNI_ARGS", "IP=nonsense", "invalid IP address"],
        ),
        (
            "host-local",
            "IP=10.1.5.9/99",
            ["CNI_ARGS", "IP=10.1.5.9/99", "invalid CIDR address"],
        ),
    ] {
        let call = call(&bench, plugin, args);
        bench.assert_refuses(&call, 4, &words);
    }
}
