// SPDX-License-Identifier: Apache-2.0
//! The variables of a call: what is demanded, what is refused before anything is changed, and what
//! is nobody's business.

use integration_tests::binaries::{self, PLUGINS};
use integration_tests::{Bench, Execution, Network, Node, PATIENCE, Runner, State, bench, ping};
use serde_json::json;

const CONTAINER: &str = "CNI_CONTAINERID";
const NETNS: &str = "CNI_NETNS";
const IFNAME: &str = "CNI_IFNAME";
const PATH: &str = "CNI_PATH";

/// Variables and their values.
type Variables = &'static [(&'static str, &'static str)];

/// Verbs, variables with bad values, and the message that the reference plugins have for it.
const REFUSED: [(&str, Variables, &str); 29] = [
    (
        "ADD",
        &[(CONTAINER, "")],
        "required env variables [CNI_CONTAINERID] missing",
    ),
    (
        "ADD",
        &[(NETNS, "")],
        "required env variables [CNI_NETNS] missing",
    ),
    (
        "ADD",
        &[(IFNAME, "")],
        "required env variables [CNI_IFNAME] missing",
    ),
    (
        "ADD",
        &[(PATH, "")],
        "required env variables [CNI_PATH] missing",
    ),
    (
        "ADD",
        &[(CONTAINER, ""), (NETNS, ""), (IFNAME, ""), (PATH, "")],
        "required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] missing",
    ),
    (
        "CHECK",
        &[(NETNS, ""), (PATH, "")],
        "required env variables [CNI_NETNS,CNI_PATH] missing",
    ),
    (
        "DEL",
        &[(CONTAINER, "")],
        "required env variables [CNI_CONTAINERID] missing",
    ),
    (
        "DEL",
        &[(IFNAME, "")],
        "required env variables [CNI_IFNAME] missing",
    ),
    (
        "GC",
        &[(PATH, "")],
        "required env variables [CNI_PATH] missing",
    ),
    (
        "STATUS",
        &[(PATH, "")],
        "required env variables [CNI_PATH] missing",
    ),
    (
        "ADD",
        &[(CONTAINER, "a/b")],
        "invalid characters in containerID",
    ),
    (
        "ADD",
        &[(CONTAINER, "../a")],
        "invalid characters in containerID",
    ),
    (
        "ADD",
        &[(CONTAINER, "-a")],
        "invalid characters in containerID",
    ),
    (
        "ADD",
        &[(CONTAINER, "a b")],
        "invalid characters in containerID",
    ),
    (
        "ADD",
        &[(CONTAINER, "a\n")],
        "invalid characters in containerID",
    ),
    (
        "ADD",
        &[(CONTAINER, "\u{e4}")],
        "invalid characters in containerID",
    ),
    (
        "CHECK",
        &[(CONTAINER, "a;b")],
        "invalid characters in containerID",
    ),
    (
        "DEL",
        &[(CONTAINER, "..")],
        "invalid characters in containerID",
    ),
    (
        "ADD",
        &[(IFNAME, "sixteen-letters0")],
        "interface name is too long",
    ),
    ("ADD", &[(IFNAME, ".")], "interface name is . or .."),
    ("ADD", &[(IFNAME, "..")], "interface name is . or .."),
    (
        "ADD",
        &[(IFNAME, "eth/0")],
        "interface name contains / or : or whitespace characters",
    ),
    (
        "ADD",
        &[(IFNAME, "eth:0")],
        "interface name contains / or : or whitespace characters",
    ),
    (
        "ADD",
        &[(IFNAME, "eth 0")],
        "interface name contains / or : or whitespace characters",
    ),
    (
        "ADD",
        &[(IFNAME, "eth\u{2003}0")],
        "interface name contains / or : or whitespace characters",
    ),
    (
        "CHECK",
        &[(IFNAME, "../eth0")],
        "interface name contains / or : or whitespace characters",
    ),
    (
        "DEL",
        &[(IFNAME, "\t")],
        "interface name contains / or : or whitespace characters",
    ),
    // What is malformed is said before what is missing.
    (
        "ADD",
        &[(CONTAINER, "a b"), (IFNAME, ""), (NETNS, "")],
        "invalid characters in containerID",
    ),
    (
        "DEL",
        &[(CONTAINER, ""), (IFNAME, "..")],
        "interface name is . or ..",
    ),
];

fn with(call: Execution, variables: &[(&str, &str)]) -> Execution {
    let set = |call: Execution, (name, value): &(&str, &str)| call.env(name, *value);
    variables.iter().fold(call, set)
}

/// A call of one plugin of network `pods` for `eth0` of pod `a`.
fn call(bench: &Bench, plugin: &str, verb: &str) -> Execution {
    let mut configuration = bench.configuration();
    configuration["type"] = json!(plugin);
    bench.call_with(verb, "a", &configuration)
}

#[test]
fn bad_variables_are_refused_and_named() {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    for (verb, variables, message) in REFUSED {
        for plugin in PLUGINS {
            let call = with(call(&bench, plugin, verb), variables);
            let outcome = call.run(&bench.node);
            // The value is shown too, but for what is not there or not to be printed.
            let printable = |value: &&str| {
                !value.is_empty() && value.chars().all(|c| c.is_ascii_graphic() || c == ' ')
            };
            let named = variables.len() == 1 && !message.contains("missing");
            let values = variables.iter().map(|(_, value)| *value);
            let shown = values.filter(printable).filter(|_| named);
            outcome.assert_refused(4, &shown.chain([message]).collect::<Vec<_>>());
        }
    }
    assert_eq!(pod.interfaces(), [""; 0]);
    bench.assert_clean();
}

#[test]
fn bad_variables_are_refused_in_the_reference_plugins_words() {
    let bench = Bench::new();
    let go = binaries::go_plugins();
    for (verb, variables, message) in REFUSED {
        let network = bench::network("pods", "cni0", &["10.1.5.0/24"]);
        let runner = Runner::with_plugins(&bench.node, &go);
        let call = with(bench::call(&runner, &network, verb, "a"), variables);
        let outcome = call.run(&bench.node);
        assert_eq!(outcome.error().0, 4, "{outcome}");
        assert_eq!(outcome.json()["msg"], message, "{outcome}");
    }
}

#[test]
fn a_variable_that_is_not_set_is_one_that_is_empty() {
    let bench = Bench::new();
    for plugin in PLUGINS {
        for (verb, name) in [("ADD", NETNS), ("DEL", IFNAME), ("STATUS", PATH)] {
            let call = call(&bench, plugin, verb);
            let [unset, empty] = [call.clone().without(name), call.env(name, "")]
                .map(|call| call.run(&bench.node).error());
            assert_eq!(unset, empty);
        }
    }
}

#[test]
fn verbs_do_not_look_at_variables_that_are_not_theirs() {
    let bench = Bench::new();
    let _pod = bench.attach("a");
    let strange = [
        (CONTAINER, "a b"),
        (IFNAME, ".."),
        (NETNS, "/nowhere"),
        ("CNI_ARGS", ";;"),
    ];
    let valid = json!([
        {"containerID": "keeper", "ifname": "eth0"},
        {"containerID": "a", "ifname": "eth0"},
    ]);
    for plugin in PLUGINS {
        let mut configuration = bench.configuration();
        configuration["type"] = json!(plugin);
        configuration["cni.dev/valid-attachments"] = valid.clone();
        // For flannel.
        let file = "/run/lab/subnet.env";
        let env = "FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=10.1.5.0/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true";
        bench.node.write(file, env);
        configuration["subnetFile"] = json!(file);
        // For vxlan.
        configuration["network"] = json!("10.1.0.0/16");
        configuration["nodes"] =
            json!([{"name": "own", "underlay": "192.0.2.2", "podCIDRs": ["10.1.5.0/24"]}]);
        for verb in ["GC", "STATUS"] {
            let call = bench.call_with(verb, "a", &configuration);
            with(call, &strange).run(&bench.node).assert_silent();
        }
    }
    assert!(ping(&bench.node, bench.keeper.ipv4("eth0"), PATIENCE));
}

#[test]
fn long_names_that_the_kernel_takes_are_taken() {
    let bench = Bench::new();
    for length in [200, 255] {
        let pod = bench.node.pod("a");
        let id = "x".repeat(length);
        let variables = [(CONTAINER, id.as_str()), (IFNAME, "fifteen-letters")];
        let call = |verb| with(bench.call(verb, "a"), &variables).run(&bench.node);
        call("ADD").result();
        assert_eq!(pod.interfaces(), ["fifteen-letters"]);
        assert!(ping(&pod, bench.keeper.ipv4("eth0"), PATIENCE));
        call("DEL").assert_silent();
        assert_eq!(pod.interfaces(), [""; 0]);
        bench.assert_clean();
    }
}

#[test]
fn del_needs_no_path_where_there_is_nothing_to_delegate() {
    let node = Node::new();
    let runner = Runner::new(&node);
    let pod = node.pod("a");
    let network = Network::of_layer2("flat", json!({}));
    let before = State::of(&node);
    runner.add(&network, &pod, "eth0").unwrap();
    let del = bench::call(&runner, &network, "DEL", "a").without(PATH);
    del.run(&node).assert_silent();
    before.assert_nothing_left(&node, &["cni0"]);
}

#[test]
fn a_name_that_the_kernel_would_number_is_refused() {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    for plugin in PLUGINS {
        let call = call(&bench, plugin, "ADD").env(IFNAME, "eth%d");
        bench.assert_refuses(&call, 4, &["interface name contains %", "eth%d"]);
    }
    assert_eq!(pod.interfaces(), [""; 0]);
}
