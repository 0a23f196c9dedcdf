// SPDX-License-Identifier: Apache-2.0
//! What happens to the plugin `vxlan` in the field: it is killed, its directory cannot be written,
//! the list is emptied by mistake, and networks get into each other's way.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use integration_tests::{Execution, LoneNode, Network, Pod, Runner, bench, binaries};
use serde_json::{Value, json};

const LIST: &str = "/run/lab/nodes.json";
const PEERS: usize = 3000;

fn write(site: &LoneNode, nodes: &Value) {
    site.node.write("/run/lab/new", nodes.to_string());
    site.node.tool("mv", &format!("/run/lab/new {LIST}"));
}

fn by_file() -> Network {
    Network::of_lone_node(&json!({"nodesFile": LIST}))
}

/// One ADD of `vxlan` alone, for a pod that `bridge` has attached.
fn again(runner: &Runner, site: &LoneNode, pod: &Pod, keys: &Value) -> Execution {
    let result = site.runner.result(&by_file(), pod.name(), "eth0");
    let mut plugin = json!({"type": "vxlan", "network": ["10.200.0.0/16", "11.0.0.0/8"]});
    for (key, value) in keys.as_object().expect("keys are an object") {
        plugin[key] = value.clone();
    }
    let call = runner.call("ADD", &by_file(), &plugin, result.as_ref());
    let call = call.env("CNI_CONTAINERID", pod.name());
    call.env("CNI_IFNAME", "eth0")
        .env("CNI_NETNS", pod.netns().display().to_string())
}

/// How many forwarding entries there are.
fn forwarded(site: &LoneNode) -> usize {
    let links = site.node.interfaces();
    if !links.contains(&"podwire.1".to_owned()) {
        return 0;
    }
    let entries = site.node.tool("bridge", "fdb show dev podwire.1");
    entries.lines().filter(|line| line.contains("dst")).count()
}

#[test]
fn an_add_killed_while_it_programs_is_gone_on_with() {
    let site = LoneNode::new();
    write(&site, &LoneNode::nodes(3000));
    let pod = site.node.pod("a");
    site.add(&by_file(), &pod);
    let keys = json!({"nodesFile": LIST});
    let plugin = binaries::plugins().join("vxlan").display().to_string();
    let mut found = BTreeSet::new();
    let mut milliseconds = 10.0;
    while !found.contains(&(PEERS, PEERS)) {
        // Without the device the stamp of the ADD before is found out.
        site.node.ip("link delete podwire.1");
        let text = format!(
            "exec timeout --foreground -s KILL {} {plugin}",
            milliseconds / 1000.0
        );
        let path = bench::script(&site.node, "vxlan", &text);
        let (scripts, _) = path
            .split_once(':')
            .expect("the script's directory is first");
        let killer = Runner::with_plugins(&site.node, scripts);
        again(&killer, &site, &pod, &keys).run(&site.node);
        found.insert((forwarded(&site), site.routes("-4")));
        again(&site.runner, &site, &pod, &keys)
            .run(&site.node)
            .result();
        assert_eq!(site.check(&by_file(), &pod), None, "{milliseconds} ms");
        milliseconds *= 1.15;
    }
    // The killer came before anything was made, in between, and after all was.
    assert!(found.len() > 2, "{found:?}");
}

#[test]
fn a_directory_that_cannot_be_written_costs_time_only() {
    let site = LoneNode::new();
    write(&site, &LoneNode::nodes(5));
    // A file stands in the directory's place, which not even root can get past.
    site.node.write("/run/podwire", "");
    let pod = site.node.pod("a");
    for _ in 0..2 {
        site.add(&by_file(), &pod);
        assert_eq!(site.routes("-4"), 5);
        site.node.ip("route flush proto 118");
        site.runner.del(&by_file(), &pod, "eth0").unwrap();
    }
    site.add(&by_file(), &pod);
    let outcome = again(&site.runner, &site, &pod, &json!({"nodesFile": LIST})).run(&site.node);
    outcome.result();
    for words in [
        "without the lock \"/run/podwire/vxlan.lock\"",
        "no stamp can be left",
    ] {
        assert!(outcome.stderr.contains(words), "{outcome}");
    }
}

/// ADDs until one is not refused, and says how long that took and what the refusals said.
fn until_granted(site: &LoneNode, pod: &Pod) -> (Duration, BTreeSet<(u64, String)>) {
    let start = Instant::now();
    let mut refusals = BTreeSet::new();
    loop {
        let outcome = again(&site.runner, site, pod, &json!({"nodesFile": LIST})).run(&site.node);
        if outcome.success() {
            return (start.elapsed(), refusals);
        }
        refusals.insert(outcome.error());
        assert!(start.elapsed() < Duration::from_secs(30), "{refusals:?}");
    }
}

#[test]
fn a_list_that_shrinks_to_nothing_is_believed_a_moment_later() {
    let site = LoneNode::new();
    write(&site, &LoneNode::nodes(4));
    let pod = site.node.pod("a");
    site.add(&by_file(), &pod);
    // The first stamp waits until the list is no longer new.
    while !site
        .node
        .list("/run/podwire")
        .contains(&"vxlan.stamp".to_owned())
    {
        again(&site.runner, &site, &pod, &json!({"nodesFile": LIST}))
            .run(&site.node)
            .result();
    }
    write(&site, &LoneNode::nodes(0));
    let mut gc = site.runner.gc(&by_file(), &[("a", "eth0")]).unwrap_err();
    assert_eq!(gc.error().0, 11, "{gc}");
    assert_eq!(site.routes("-4"), 4);
    // It was a mistake, which cost nothing.
    write(&site, &LoneNode::nodes(3));
    let (_, refusals) = until_granted(&site, &pod);
    assert_eq!((site.routes("-4"), refusals.len()), (3, 0));
    while !site
        .node
        .list("/run/podwire")
        .contains(&"vxlan.stamp".to_owned())
    {
        again(&site.runner, &site, &pod, &json!({"nodesFile": LIST}))
            .run(&site.node)
            .result();
    }
    write(&site, &LoneNode::nodes(0));
    let (time, refusals) = until_granted(&site, &pod);
    assert!(time >= Duration::from_secs(2), "{time:?}");
    let (code, text) = refusals.first().unwrap();
    assert!(
        *code == 11 && text.contains("where it had 3 more"),
        "{text}"
    );
    assert_eq!(site.routes("-4"), 0);
    gc = match site.runner.gc(&by_file(), &[("a", "eth0")]) {
        Ok(()) => return,
        Err(failure) => failure,
    };
    panic!("{gc}");
}

#[test]
fn what_has_the_port_is_named() {
    let site = LoneNode::new();
    let network = Network::of_lone_node(&json!({"nodes": LoneNode::nodes(1)}));
    let pod = site.node.pod("a");
    let culprit = "of another program";
    let program = site.node.run(|| UdpSocket::bind("0.0.0.0:8472").unwrap());
    let (code, text) = site.status(&network).unwrap();
    assert!(
        code == 50 && text.contains(culprit) && text.contains("8472"),
        "{text}"
    );
    let (code, text) = site.refused(&network, &pod);
    assert!(code == 11 && text.contains(culprit), "{text}");
    drop(program);
    site.runner.del(&network, &pod, "eth0").unwrap();
    for rival in [
        "external dstport 8472",
        "id 1 dstport 8472 local 192.0.2.2 dev eth0",
    ] {
        site.node
            .ip(&format!("link add rival up type vxlan {rival}"));
        let (code, text) = site.status(&network).unwrap();
        assert!(code == 50 && text.contains("\"rival\""), "{text}");
        let (code, text) = site.refused(&network, &pod);
        assert!(code == 11 && text.contains("\"rival\""), "{text}");
        site.node.ip("link delete rival");
        site.runner.del(&network, &pod, "eth0").unwrap();
    }
    // One of another VNI can share it.
    site.node
        .ip("link add other up type vxlan id 9 dstport 8472 local 192.0.2.2 dev eth0 noudpcsum");
    assert_eq!(site.status(&network), None);
    site.add(&network, &pod);
    // The name of the family that this node has not is free to all, the other one is not.
    site.node.ip("link add podwire-v6.1 type bridge");
    assert_eq!(site.status(&network), None);
    site.node.ip("link delete podwire.1");
    site.node.ip("link add podwire.1 type bridge");
    let (code, text) = site.status(&network).unwrap();
    assert!(code == 50 && text.contains("no VXLAN device"), "{text}");
}

#[test]
fn entries_that_are_left_out_are_named_and_the_others_served() {
    let site = LoneNode::new();
    let mut nodes = LoneNode::nodes(4);
    nodes[2]["podCIDRs"] = json!(["10.200.1.0/24"]);
    nodes[3]["underlay"] = json!(null);
    write(&site, &nodes);
    let pod = site.node.pod("a");
    site.add(&by_file(), &pod);
    assert_eq!(site.routes("-4"), 2);
    site.node.ip("route flush proto 118");
    let outcome = again(&site.runner, &site, &pod, &json!({"nodesFile": LIST})).run(&site.node);
    outcome.result();
    let lines: Vec<_> = outcome.stderr.lines().collect();
    assert_eq!(
        lines,
        [
            "node peer2 is left out: its pod CIDR 10.200.1.0/24 overlaps 10.200.1.0/24 of node peer1",
            "node peer3 is left out: it has the pod CIDR 10.200.3.0/24, but no IPv4 underlay address",
        ]
    );
}

#[test]
fn a_network_that_changes_its_vni_leaves_no_device() {
    let site = LoneNode::new();
    write(&site, &LoneNode::nodes(4));
    let pod = site.node.pod("a");
    site.add(&by_file(), &pod);
    while !site
        .node
        .list("/run/podwire")
        .contains(&"vxlan.stamp".to_owned())
    {
        again(&site.runner, &site, &pod, &json!({"nodesFile": LIST}))
            .run(&site.node)
            .result();
    }
    let keys = json!({"nodesFile": LIST, "vni": 7});
    again(&site.runner, &site, &pod, &keys)
        .run(&site.node)
        .result();
    let links = site.node.interfaces();
    assert!(links.contains(&"podwire.7".to_owned()), "{links:?}");
    assert!(!links.contains(&"podwire.1".to_owned()), "{links:?}");
    assert_eq!(site.routes("-4"), 4);
}

#[test]
fn two_networks_share_one_overlay() {
    let site = LoneNode::new();
    let keys = json!({"nodes": LoneNode::nodes(4)});
    let [one, other] = ["one", "other"].map(|name| {
        let mut list: Value = serde_json::from_str(&Network::of_lone_node(&keys).text()).unwrap();
        list["name"] = json!(name);
        list["plugins"][0]["bridge"] = json!(name);
        let half = if name == "one" {
            "10.200.0.0/25"
        } else {
            "10.200.0.128/25"
        };
        list["plugins"][0]["ipam"]["ranges"] = json!([[{"subnet": half}]]);
        Network::new(list)
    });
    let pods: Vec<_> = (0..4).map(|_| site.node.any_pod()).collect();
    // Each bridge is a new one to the guard, and then both are known.
    site.add(&one, &pods[0]);
    site.add(&other, &pods[1]);
    let stamp =
        || site.node.ip("-json route show proto 118") + &site.node.tool("ls", "-i /run/podwire");
    let before = stamp();
    site.add(&one, &pods[2]);
    site.add(&other, &pods[3]);
    assert_eq!(stamp(), before);
    for (network, pod) in [(&one, &pods[2]), (&other, &pods[3])] {
        assert_eq!(site.check(network, pod), None);
    }
    let rules = site
        .node
        .tool("nft", "list chain inet podwire-overlay pods");
    for bridge in ["one", "other"] {
        assert!(
            rules.contains(&format!("iifname \"{bridge}\" drop")),
            "{rules}"
        );
    }
}
