// SPDX-License-Identifier: Apache-2.0
//! The laboratory proved with the CNI project's own plugins: what it shows of them is known, so
//! what it shows of Podwire's can be believed.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use integration_tests::conntrack::flows;
use integration_tests::{
    Echo, Network, Node, Outside, Runner, State, Tap, ask_tcp, ask_udp, binaries, ping, send_frame,
};
use net::Mac;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(2);
const BRIEFLY: Duration = Duration::from_millis(300);

/// What the CNI project's plugins keep on a node on which they were used.
const KEPT: [&str; 9] = [
    "cni0",
    "forward",
    "directory /var/lib/cni/",
    "file /var/lib/cni/networks/lab/last_reserved_ip.0",
    "file /var/lib/cni/networks/lab/lock",
    "file /run/xtables.lock",
    "nft table ip nat",
    "nft chain ip nat POSTROUTING",
    "nft rule ip nat CNI-HOSTPORT",
];

fn network() -> Network {
    Network::new(json!({
        "cniVersion": "1.0.0",
        "name": "lab",
        "plugins": [
            {
                "type": "bridge",
                "isGateway": true,
                "ipMasq": true,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": "10.88.0.0/24"}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": true}},
        ],
    }))
}

fn go_runner(node: &Node) -> Runner {
    Runner::with_plugins(node, binaries::go_plugins())
}

#[test]
fn runner_attaches_and_detaches() {
    let node = Node::new();
    let (runner, network) = (go_runner(&node), network());
    let before = State::of(&node);
    let (a, b) = (node.pod("a"), node.pod("b"));

    let result = runner.add(&network, &a, "eth0").unwrap();
    runner.add(&network, &b, "eth0").unwrap();
    assert_eq!(result["ips"][0]["address"], "10.88.0.2/24");
    assert_eq!(a.addresses("eth0")[0].to_string(), "10.88.0.2/24");
    assert!(ping(&a, b.ipv4("eth0"), PATIENCE), "pod to pod");
    assert!(ping(&node, b.ipv4("eth0"), PATIENCE), "node to pod");
    assert!(
        !ping(&a, "10.88.0.77".parse().unwrap(), BRIEFLY),
        "nobody has this address"
    );

    runner.check(&network, &a, "eth0").unwrap();
    runner.del(&network, &a, "eth0").unwrap();
    runner.check(&network, &a, "eth0").unwrap_err();
    runner.del(&network, &b, "eth0").unwrap();
    assert_eq!(a.interfaces(), [""; 0]);
    before.assert_nothing_left(&node, &KEPT);
}

#[test]
fn cnitool_attaches_and_detaches() {
    let node = Node::new();
    node.install(&network());
    let before = State::of(&node);
    let (a, b) = (node.pod("a"), node.pod("b"));
    let plugins = binaries::go_plugins().display().to_string();
    let env = [("CNI_PATH", plugins.as_str())];

    node.cnitool("add", "lab", &a, &env).result();
    node.cnitool("add", "lab", &b, &env).result();
    assert!(ping(&a, b.ipv4("eth0"), PATIENCE));
    node.cnitool("check", "lab", &a, &env).assert_silent();
    node.cnitool("del", "lab", &a, &env).assert_silent();
    node.cnitool("del", "lab", &b, &env).assert_silent();
    before.assert_nothing_left(&node, &KEPT);
}

#[test]
fn outside_sees_the_node() {
    let node = Node::new();
    let outside = Outside::new(&node, 1500);
    let server = Echo::start(&outside, Outside::V4, 7);
    let pod = node.pod("a");
    let (runner, network) = (go_runner(&node), network());

    runner.add(&network, &pod, "eth0").unwrap();
    assert_eq!(
        ask_udp(&pod, server.address()).unwrap().ip(),
        Outside::NODE_V4
    );
    assert_eq!(
        ask_tcp(&pod, server.address()).unwrap().ip(),
        Outside::NODE_V4
    );
    let flow = flows(&node)
        .into_iter()
        .find(|flow| flow.protocol == "tcp")
        .unwrap();
    assert_eq!(
        (flow.source, flow.reply_destination),
        (pod.ipv4("eth0"), Outside::NODE_V4)
    );
    assert!(flow.is_translated());
    runner.del(&network, &pod, "eth0").unwrap();
}

#[test]
fn outside_answers_no_pod_without_masquerade() {
    let node = Node::new();
    let outside = Outside::new(&node, 1500);
    let server = Echo::start(&outside, Outside::V4, 7);
    let pod = node.pod("a");
    let mut list: Value = serde_json::from_str(&network().text()).unwrap();
    list["plugins"][0]["ipMasq"] = json!(false);

    go_runner(&node)
        .add(&Network::new(list), &pod, "eth0")
        .unwrap();
    ask_udp(&pod, server.address()).unwrap_err();
    outside.add_route_back("10.88.0.0/24".parse().unwrap());
    assert_eq!(
        ask_udp(&pod, server.address()).unwrap().ip(),
        pod.ipv4("eth0")
    );
}

#[test]
fn capabilities_and_arguments_reach_the_plugin() {
    let node = Node::new();
    let outside = Outside::new(&node, 1500);
    let pod = node.pod("a");
    let mapping = json!([{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]);
    let runner = go_runner(&node)
        .with_args("IgnoreUnknown=1;IP=10.88.0.40;MAC=02:00:00:00:00:40")
        .with_capability("portMappings", mapping);

    runner.add(&network(), &pod, "eth0").unwrap();
    assert_eq!(pod.ipv4("eth0").to_string(), "10.88.0.40");
    assert_eq!(pod.link("eth0").mac.to_string(), "02:00:00:00:00:40");
    let _server = Echo::start(&pod, pod.ipv4("eth0"), 80);
    assert_eq!(
        ask_tcp(&outside, (Outside::NODE_V4, 8080).into())
            .unwrap()
            .ip(),
        Outside::V4
    );
}

#[test]
fn taps_see_forged_frames() {
    let node = Node::new();
    let (a, b) = (node.pod("a"), node.pod("b"));
    a.connect("eth0", &b, "eth0", 1500);
    let forged: Mac = "02:00:00:00:00:99".parse().unwrap();
    let tap = Tap::new(&b, "eth0");
    assert!(!tap.sees(forged, BRIEFLY));
    send_frame(&a, "eth0", forged, b.link("eth0").mac);
    assert!(tap.sees(forged, PATIENCE));
}

/// A directory of a node with the CNI project's plugins, where one does nothing on DEL.
fn forgetful(node: &Node, plugin: &str) -> &'static str {
    let directory = "/run/lab/forgetful";
    for name in ["bridge", "host-local", "portmap"] {
        let real = binaries::go_plugins().join(name);
        let idle = if name == plugin {
            "[ $CNI_COMMAND = DEL ] && exit 0\n"
        } else {
            ""
        };
        let path = format!("{directory}/{name}");
        node.write(&path, format!("#!/bin/sh\n{idle}exec {}\n", real.display()));
        node.tool("chmod", &format!("+x {path}"));
    }
    directory
}

#[test]
fn plugins_that_leave_something_are_caught() {
    for (plugin, left) in [("bridge", "10.88.0.2"), ("host-local", "10.88.0.2")] {
        let node = Node::new();
        let before = State::of(&node);
        let runner = Runner::with_plugins(&node, forgetful(&node, plugin));
        let (pod, network) = (node.pod("a"), network());
        runner.add(&network, &pod, "eth0").unwrap();
        runner.del(&network, &pod, "eth0").unwrap();
        let check = || before.assert_nothing_left(&node, &KEPT);
        let panic = catch_unwind(AssertUnwindSafe(check)).unwrap_err();
        let found = panic.downcast_ref::<String>().unwrap();
        assert!(found.contains(left), "{plugin}: {found}");
    }
}

#[test]
fn leftovers_are_seen() {
    let node = Node::new();
    let before = State::of(&node);
    let pod = node.pod("a");
    node.connect("veth0", &pod, "eth0", 1500);
    node.add_address("veth0", "10.77.0.1/24".parse().unwrap());
    node.tool("nft", "add table inet left");
    node.tool(
        "nft",
        "add set inet left names { type ifname ; elements = { \"veth0\" } ; }",
    );
    node.write("/var/lib/cni/networks/left/10.77.0.2", "a\r\neth0");
    node.write("/proc/sys/net/ipv4/ip_forward", "1");

    let found = before.differences(&State::of(&node)).join("\n");
    for line in [
        "+ link veth0 veth",
        "+ address 10.77.0.1/24 on veth0",
        "+ route 10.77.0.0/24 veth0",
        "+ nft table inet left",
        "+ nft set inet left names: \"veth0\"",
        "+ file /var/lib/cni/networks/left/10.77.0.2",
        "+ sysctl net/ipv4/ip_forward = 1",
        "- sysctl net/ipv4/ip_forward = 0",
    ] {
        assert!(found.contains(line), "{line} is not seen in\n{found}");
    }
}

#[test]
fn processes_left_behind_are_seen() {
    let node = Node::new();
    let child = node.run(|| std::process::Command::new("sleep").arg("77").spawn());
    let mut child = child.unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| drop(node))).unwrap_err();
    child.kill().and_then(|()| child.wait()).unwrap();
    assert!(panic.downcast_ref::<String>().unwrap().contains("sleep 77"));
}

#[test]
fn the_host_sees_nothing() {
    let node = Node::new();
    node.write("/var/lib/cni/left", "");
    node.write("/run/left", "");
    let _pod = node.pod("a");
    for path in ["/var/lib/cni/left", "/run/left", "/run/netns/a"] {
        assert!(!fs::exists(path).unwrap(), "{path}");
    }
}

#[test]
fn pods_vanish() {
    let node = Node::new();
    let (runner, network) = (go_runner(&node), network());
    let pod = node.pod("a");
    runner.add(&network, &pod, "eth0").unwrap();
    let path = pod.vanish();
    assert!(!node.run(|| path.exists()));
    runner
        .del_with(&network, "a", &path.display().to_string(), "eth0")
        .unwrap();

    let path = node.pod("b").become_plain_file();
    assert!(node.run(|| path.is_file()));
}
