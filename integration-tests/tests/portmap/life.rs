// SPDX-License-Identifier: Apache-2.0
//! Ports come with their attachment and go with it, whatever is left of it.

use integration_tests::{Network, Outside, State};
use serde_json::json;

use crate::site::{NODE, Site, both, network, of_bridge, port, seen_at, serve, unserved};

#[test]
fn the_end_of_a_pod_takes_its_ports_and_nothing_else() {
    let site = Site::new();
    let other = of_bridge("other", "cni1", 89, both(9090));
    let (_keeper, _servers) = site.server(&other);
    let plain = site.runner.attach(&network(json!([])), &site.node);
    let before = State::of(&site.node);
    let network = network(both(8080));
    for _ in 0..2 {
        let (pod, servers) = site.server(&network);
        assert_eq!(seen_at(&site.outside, NODE[0], 8080), Outside::V4);
        drop(servers);
        for _ in 0..2 {
            site.runner.del(&network, &pod, "eth0").unwrap();
        }
        // Which interfaces have been opened is kept until the rule goes that guards them.
        before.assert_nothing_left(&site.node, &["last_reserved", "hostport-opened"]);
    }
    assert_eq!(seen_at(&site.outside, NODE[0], 9090), Outside::V4);
    drop(plain);
}

/// Where no bridge leads to it, each pod has an interface of its own, which is noted as long as it
/// has mappings.
#[test]
fn interfaces_of_pods_alone_are_forgotten_with_them() {
    let site = Site::new();
    let (_keeper, _servers) = site.server(&network(both(9090)));
    let routed = Network::of_ptp("routed", &["10.90.0.0/24"], json!({})).followed_by(json!({
        "type": "portmap",
        "capabilities": {"portMappings": true},
        "runtimeConfig": {"portMappings": both(8080)},
    }));
    let noted = || {
        let lines = site.ports().into_iter();
        let of_pod = |line: &String| line.contains("hostport-opened") && line.contains("\"veth");
        lines.filter(of_pod).count()
    };
    for _ in 0..3 {
        let pod = site.runner.attach(&routed, &site.node);
        assert_eq!(noted(), 1);
        let result = site.runner.result(&routed, pod.name(), "eth0").unwrap();
        let port = result["interfaces"][0]["name"].as_str().unwrap();
        let setting = format!("/proc/sys/net/ipv4/conf/{port}/route_localnet");
        assert_eq!(site.node.read(&setting), "1\n");
        // The pod is still there when its mappings go.
        let del = site.portmap("DEL", &routed, &pod).run(&site.node);
        del.assert_silent();
        assert_eq!(site.node.read(&setting), "0\n");
        site.runner.del(&routed, &pod, "eth0").unwrap();
        assert_eq!(noted(), 0);
    }
}

#[test]
fn without_mappings_there_is_nothing() {
    let site = Site::new();
    let pod = site.runner.attach(&network(json!([])), &site.node);
    assert_eq!(site.ports(), [""; 0]);
    site.runner
        .check(&network(json!([])), &pod, "eth0")
        .unwrap();
}

/// What the first packet of a connection passes is the same with one pod and one port as with many.
#[test]
fn rules_do_not_grow_with_pods_and_ports() {
    let site = Site::new();
    let rules = || {
        let lines = site.ports().into_iter();
        lines
            .filter(|line| line.starts_with("nft rule "))
            .collect::<Vec<_>>()
    };
    let _first = site.runner.attach(&network(both(8000)), &site.node);
    let before = rules();
    assert!(!before.is_empty());
    let _others = [9000, 9100, 9200].map(|first| {
        let ports: Vec<_> = (first..first + 50).map(|host| port(host, "tcp")).collect();
        site.runner.attach(&network(json!(ports)), &site.node)
    });
    assert_eq!(rules(), before);
    // Each port is an element for its way, and one for its target, in each family.
    let elements = site
        .ports()
        .into_iter()
        .filter(|line| line.contains("\"tcp\""));
    assert_eq!(elements.count(), 151 * 4);
}

/// The calls of a runtime that has lost everything but the names.
#[test]
fn del_needs_neither_result_nor_sandbox_nor_a_valid_configuration() {
    let site = Site::new();
    let network = network(both(8080));
    for spoilt in [
        json!({}),
        json!({"runtimeConfig": null}),
        json!({"runtimeConfig": {"portMappings": [{"hostPort": -5}]}}),
        json!({"runtimeConfig": "gone", "snat": "perhaps", "conditionsV4": ["-j"]}),
        json!({"markMasqBit": 99, "backend": "ipfilter"}),
    ] {
        let (pod, _servers) = site.server(&network);
        assert!(!site.ports().is_empty());
        let spoilt = network.with_at(1, &spoilt);
        site.runner.forget(&network, pod.name(), "eth0");
        site.runner
            .del_with(&spoilt, pod.name(), "", "eth0")
            .unwrap();
        assert_eq!(site.ports(), [""; 0]);
    }
}

#[test]
fn gc_takes_the_ports_of_what_is_no_more() {
    let site = Site::new();
    let of_port = |port| network(both(port));
    let (kept, _servers) = site.server(&of_port(8080));
    let (_stale, stale) = site.server(&of_port(8081));
    let other = of_bridge("other", "cni1", 89, both(9090));
    let (_stranger, _strangers) = site.server(&other);
    site.runner
        .gc(&of_port(1), &[(kept.name(), "eth0")])
        .unwrap();
    drop(stale);
    for served in [8080, 9090] {
        assert_eq!(seen_at(&site.outside, NODE[0], served), Outside::V4);
    }
    unserved(&site.outside, NODE[0], 8081);
    site.runner.gc(&of_port(1), &[]).unwrap();
    site.runner.gc(&other, &[]).unwrap();
    assert_eq!(site.ports(), [""; 0]);
}

#[test]
fn attachments_of_one_container_keep_their_ports_apart() {
    let site = Site::new();
    let first = network(json!([port(8080, "tcp"), port(8080, "udp")]));
    let second = of_bridge("other", "cni1", 89, both(9090)).with_at(
        0,
        &json!({"ipam": {"type": "host-local", "ranges": [[{"subnet": "10.89.0.0/24"}]]}}),
    );
    let pod = site.runner.attach(&first, &site.node);
    site.runner.add(&second, &pod, "eth1").unwrap();
    let own = integration_tests::Echo::start(&pod, pod.ipv4("eth1"), 80);
    site.runner.del(&first, &pod, "eth0").unwrap();
    let lines = site.ports();
    assert!(lines.iter().any(|line| line.contains("eth1")), "{lines:?}");
    assert!(
        !lines.iter().any(|line| line.contains("eth0\"")),
        "{lines:?}"
    );
    // Without a default route the pod answers its own subnet alone.
    let gateway = site.node.ipv4("cni1");
    assert_eq!(seen_at(&site.node, gateway, 9090), gateway);
    drop(own);
    site.runner.del(&second, &pod, "eth1").unwrap();
    assert_eq!(site.ports(), [""; 0]);
}

/// Addresses without a subnet, as with a bridge of point-to-point addresses.
#[test]
fn a_pod_without_a_subnet_reaches_itself() {
    let site = Site::new();
    let of_port = |port| {
        let result = network(both(port));
        result.with_at(0, &json!({"bridge": "cni9"}))
    };
    let network = of_port(8080);
    let pod = site.bare(&network);
    let _servers = serve(&pod);
    let mut result = site
        .runner
        .result(&crate::site::before(&network), pod.name(), "eth0")
        .unwrap();
    for ip in result["ips"].as_array_mut().unwrap() {
        let address = ip["address"].as_str().unwrap();
        let (own, _) = address.split_once('/').unwrap();
        let longest = if own.contains(':') { 128 } else { 32 };
        ip["address"] = json!(format!("{own}/{longest}"));
    }
    let call = |verb| site.portmap_with(verb, &network, &pod, Some(&result));
    assert!(call("ADD").run(&site.node).success());
    call("CHECK").run(&site.node).assert_silent();
    assert_eq!(seen_at(&pod, NODE[0], 8080), site.node.ipv4("cni9"));
    // The network's chains stay for another pod, the rule for this one goes.
    let other = site.runner.attach(&of_port(8081), &site.node);
    call("DEL").run(&site.node).assert_silent();
    let lines = site.ports();
    assert!(!lines.iter().any(|line| line.contains("/32")), "{lines:?}");
    assert!(!lines.is_empty());
    site.runner.del(&of_port(8081), &other, "eth0").unwrap();
    assert_eq!(site.ports(), [""; 0]);
}

#[test]
fn all_versions_hand_the_result_on() {
    for version in ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] {
        let site = Site::new();
        let mut list = crate::site::list(&network(both(8080)));
        list["cniVersion"] = json!(version);
        let network = Network::new(list);
        let pod = site.bare(&network);
        let before = site
            .runner
            .result(&crate::site::before(&network), pod.name(), "eth0");
        let outcome = site.portmap("ADD", &network, &pod).run(&site.node);
        assert_eq!(Some(outcome.result()), before, "{version}");
        site.portmap("DEL", &network, &pod)
            .run(&site.node)
            .assert_silent();
        assert_eq!(site.ports(), [""; 0]);
    }
}
