// SPDX-License-Identifier: Apache-2.0
//! `routeViaGateway`: pods of one bridge reach each other by way of the host, so that Services work
//! without br_netfilter.

use std::time::Duration;

use integration_tests::bench;
use integration_tests::service::{Service, set_bridge_netfilter};
use integration_tests::{
    Bench, Network, Node, Outside, PATIENCE, Pod, Runner, changed, ping, seen,
};
use serde_json::{Value, json};

const SUBNETS: [&str; 2] = ["10.88.0.0/24", "fd00:88::/64"];

fn network(keys: Value) -> Network {
    let routed = json!({"routeViaGateway": true, "ipMasq": true});
    Network::of_bridge("podnet", &SUBNETS, routed).with(&keys)
}

/// A node whose bridges forward past netfilter, and two pods.
fn pods(keys: Value) -> (Node, Runner, [Pod; 2]) {
    let node = Node::new();
    set_bridge_netfilter(&node, false);
    let runner = Runner::new(&node);
    let network = network(keys);
    let pods = [(); 2].map(|()| runner.attach(&network, &node));
    (node, runner, pods)
}

fn asked(client: &Pod, ipv4: bool) -> [bool; 2] {
    Service::ask(client, ipv4).map(|seen| seen.is_ok())
}

#[test]
fn services_of_the_node_need_no_br_netfilter() {
    let (node, _runner, [client, server]) = pods(json!({}));
    let _service = Service::start(&node, &server);
    for own in client.both_addresses() {
        for seen in Service::ask(&client, own.is_ipv4()) {
            assert_eq!(seen.expect("the Service answers"), own);
        }
        // The server's own call comes back to it from the host, without hairpinMode.
        assert_eq!(asked(&server, own.is_ipv4()), [true; 2], "{own}");
    }
}

/// What the key is for: the answer would go straight to the client, as nobody's whom that has asked.
#[test]
fn without_the_key_they_do() {
    let (node, _runner, [client, server]) = pods(json!({"routeViaGateway": false}));
    let _service = Service::start(&node, &server);
    for ipv4 in [true, false] {
        assert_eq!(asked(&client, ipv4), [false; 2]);
    }
}

#[test]
fn pods_speak_by_the_gateway_and_show_their_own_addresses() {
    for keys in [
        json!({}),
        json!({"ipMasq": false, "isGateway": false, "isDefaultGateway": true}),
        json!({"enabledad": true}),
    ] {
        let (node, runner, [a, b]) = pods(keys.clone());
        for (from, to) in a.both_addresses().into_iter().zip(b.both_addresses()) {
            assert!(ping(&a, to, Duration::from_millis(500)), "{keys}: {to}");
            assert_eq!(seen(&a, &b, to), from);
            let gateway = if to.is_ipv4() {
                "10.88.0.1"
            } else {
                "fd00:88::1"
            };
            // Also when packets have gone that a router would redirect.
            let route = a.ip(&format!("route get {to}"));
            assert!(route.contains(&format!("via {gateway}")), "{keys}: {route}");
            assert!(ping(&node, to, PATIENCE));
        }
        let result = runner.result(&network(keys.clone()), a.name(), "eth0");
        runner.check(&network(keys.clone()), &a, "eth0").unwrap();
        let routes = result.expect("it was attached")["routes"].clone();
        // Of the routes only those of the configuration are reported, as by ptp.
        assert_eq!(routes.as_array().map(Vec::len), Some(2), "{keys}");
    }
}

#[test]
fn the_host_tells_nobody_of_a_shorter_way() {
    let (node, _runner, [a, b]) = pods(json!({}));
    let to = b.ipv4("eth0");
    for _ in 0..3 {
        assert!(ping(&a, to, PATIENCE));
    }
    let snmp = node.run(|| std::fs::read_to_string("/proc/thread-self/net/snmp").unwrap());
    let mut icmp = snmp.lines().filter(|line| line.starts_with("Icmp:"));
    let (head, figures) = (icmp.next().unwrap(), icmp.next().unwrap());
    let column = head.split(' ').position(|it| it == "OutRedirects").unwrap();
    assert_eq!(figures.split(' ').nth(column), Some("0"));
    for (pod, path) in [
        (&a, "ipv4/conf/all/accept_redirects"),
        (&a, "ipv4/conf/eth0/accept_redirects"),
        (&a, "ipv6/conf/eth0/accept_redirects"),
    ] {
        let path = format!("/proc/sys/net/{path}");
        let value = pod.run(|| std::fs::read_to_string(&path)).unwrap();
        assert_eq!(value.trim(), "0", "{path}");
    }
}

#[test]
fn the_world_beyond_is_reached_as_before() {
    let (node, _runner, [pod, _]) = pods(json!({}));
    let outside = Outside::new(&node, 1500);
    for (server, own) in [
        (Outside::V4, Outside::NODE_V4),
        (Outside::V6, Outside::NODE_V6),
    ] {
        assert_eq!(seen(&pod, &outside, server), own);
    }
}

#[test]
fn without_a_gateway_it_is_refused() {
    let bench = Bench::new();
    let _pod = bench.node.pod("a");
    let whole = changed(&bench.configuration(), "routeViaGateway", json!(true));
    for (key, value) in [("isGateway", json!(false)), ("ipam", json!({}))] {
        let configuration = changed(&whole, key, value);
        for verb in ["ADD", "STATUS"] {
            let call = bench.call_with(verb, "a", &configuration);
            bench.assert_refuses(&call, 7, &["routeViaGateway", "isGateway", "ipam"]);
        }
    }
}

#[test]
fn check_names_the_routes_that_are_lost() {
    for (damage, words) in [
        ("route delete 10.88.0.0/24", "10.88.0.0/24 via 10.88.0.1"),
        (
            "-6 route delete fd00:88::/64",
            "fd00:88::/64 via fd00:88::1",
        ),
        ("-6 route delete fd00:88::1", "fd00:88::1/128"),
    ] {
        let (_node, runner, [pod, _]) = pods(json!({}));
        runner.check(&network(json!({})), &pod, "eth0").unwrap();
        pod.ip(damage);
        let failure = runner.check(&network(json!({})), &pod, "eth0").unwrap_err();
        let (code, msg) = failure.error();
        assert_eq!((code, msg.contains(words)), (105, true), "{msg}");
    }
}

/// A kubelet that saw STATUS fail would take the node out of service.
#[test]
fn status_warns_of_services_that_fail_and_succeeds() {
    let node = Node::new();
    let runner = Runner::new(&node);
    let said = |keys: &Value| {
        let network = network(keys.clone());
        let outcome = bench::call(&runner, &network, "STATUS", "").run(&node);
        outcome.assert_silent();
        outcome.stderr
    };
    let bridged = json!({"routeViaGateway": false});
    if std::path::Path::new("/proc/sys/net/bridge").exists() {
        set_bridge_netfilter(&node, true);
        assert_eq!(said(&bridged), "");
    } else {
        eprintln!("this machine has no br_netfilter: its absence alone is tried");
    }
    set_bridge_netfilter(&node, false);
    let warning = said(&bridged);
    for word in [
        "cni0",
        "bridge-nf-call-iptables",
        "bridge-nf-call-ip6tables",
        "routeViaGateway",
    ] {
        assert!(warning.contains(word), "{word}: {warning}");
    }
    assert_eq!(warning.lines().count(), 1, "{warning}");
    for keys in [
        json!({}),
        json!({"routeViaGateway": false, "isGateway": false}),
        json!({"routeViaGateway": false, "ipam": {}}),
    ] {
        assert_eq!(said(&keys), "", "{keys}");
    }
}

/// In a container that is not privileged nothing below /proc/sys can be written.
#[test]
fn where_sysctls_cannot_be_set_pods_are_attached() {
    let node = Node::new();
    let runner = Runner::new(&node);
    let network = network(json!({"enabledad": true}));
    let first = runner.attach(&network, &node);
    node.protect_sysctls();
    let second = runner.attach(&network, &node);
    for to in second.both_addresses() {
        assert!(ping(&first, to, PATIENCE), "{to}");
    }
}
