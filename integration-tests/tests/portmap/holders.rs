// SPDX-License-Identifier: Apache-2.0
//! A port has one holder, and who else wants it is told who that is.

use std::thread;

use integration_tests::Outside;
use serde_json::{Value, json};

use crate::site::{NODE, Site, before, both, network, of_bridge, port, seen_at};

fn on(host_ip: &str) -> Value {
    json!([{"hostPort": 8080, "containerPort": 80, "protocol": "tcp", "hostIP": host_ip}])
}

#[test]
fn a_port_that_another_attachment_has_is_refused_by_its_name() {
    let site = Site::new();
    let (holder, _servers) = site.server(&network(both(8080)));
    let held = format!(
        "\"eth0\" of container {:?} on network \"podnet\" has it",
        holder.name()
    );
    for wanted in [
        network(both(8080)),
        of_bridge("other", "cni1", 89, both(8080)),
    ] {
        let (code, text) = site.refused(&wanted);
        assert_eq!(code, 108, "{text}");
        assert!(
            text.contains("host port 0.0.0.0:8080/tcp is taken"),
            "{text}"
        );
        assert!(text.contains(&held), "{text}");
    }
    // Other ports, and the same of another protocol, are free.
    let (_other, _others) = site.server(&network(json!([port(8081, "tcp"), port(8080, "sctp")])));
    assert_eq!(seen_at(&site.outside, NODE[0], 8080), Outside::V4);
}

/// podman sends a container's mappings with each of its networks.
#[test]
fn a_second_network_leaves_a_containers_port_to_the_first() {
    let site = Site::new();
    let second = of_bridge("other", "cni1", 89, both(8080));
    let (pod, _servers) = site.server(&network(both(8080)));
    let ports = site.ports();
    let added = site.runner.add(&second, &pod, "eth1");
    added.unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(site.ports(), ports);
    site.runner.check(&second, &pod, "eth1").unwrap();
    site.runner.del(&second, &pod, "eth1").unwrap();
    assert_eq!(site.ports(), ports);
    assert_eq!(seen_at(&site.outside, NODE[0], 8080), Outside::V4);
}

#[test]
fn all_addresses_and_one_of_them_are_in_each_others_way() {
    for (first, second, conflict) in [
        ("", "192.0.2.2", true),
        ("192.0.2.2", "", true),
        ("0.0.0.0", "192.0.2.2", true),
        ("::", "2001:db8::2", true),
        ("192.0.2.2", "192.0.2.2", true),
        ("192.0.2.2", "192.0.2.3", false),
        ("0.0.0.0", "::", false),
        ("192.0.2.2", "2001:db8::2", false),
    ] {
        let site = Site::new();
        let _holder = site.runner.attach(&network(on(first)), &site.node);
        let second = network(on(second));
        if conflict {
            let (code, text) = site.refused(&second);
            assert_eq!(code, 108, "{text}");
        } else {
            drop(site.runner.attach(&second, &site.node));
        }
    }
}

#[test]
fn a_port_on_one_address_is_not_on_the_others() {
    let site = Site::new();
    let more = "192.0.2.3".parse().unwrap();
    site.node.ip("address add 192.0.2.3/24 dev eth0");
    let mapping = |protocol| json!({"hostPort": 8080, "containerPort": 80, "protocol": protocol, "hostIP": "192.0.2.3"});
    let (_pod, _servers) = site.server(&network(json!([mapping("tcp"), mapping("udp")])));
    assert_eq!(seen_at(&site.outside, more, 8080), Outside::V4);
    crate::site::unserved(&site.outside, NODE[0], 8080);
}

#[test]
fn the_same_attachment_again_is_in_nobodys_way() {
    let site = Site::new();
    let network = network(both(8080));
    let (pod, _servers) = site.server(&network);
    let ports = site.ports();
    let result = site.runner.result(&network, pod.name(), "eth0").unwrap();
    let call = site.portmap_with("ADD", &network, &pod, Some(&result));
    assert_eq!(call.run(&site.node).result(), result);
    assert_eq!(site.ports(), ports);
}

#[test]
fn of_many_at_once_one_gets_the_port() {
    let site = Site::new();
    let network = network(both(8080));
    let pods: Vec<_> = (0..6).map(|_| site.bare(&network)).collect();
    let outcomes: Vec<_> = thread::scope(|scope| {
        let calls = pods.iter().map(|pod| {
            let call = site.portmap("ADD", &network, pod);
            let node = &site.node;
            scope.spawn(move || call.run(node))
        });
        let calls: Vec<_> = calls.collect();
        calls.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let (served, refused): (Vec<_>, Vec<_>) = outcomes.iter().partition(|it| it.success());
    assert_eq!(served.len(), 1);
    assert!(refused.iter().all(|it| it.error().0 == 108), "{refused:?}");
    for pod in &pods {
        site.portmap("DEL", &network, pod)
            .run(&site.node)
            .assert_silent();
        site.runner.del(&before(&network), pod, "eth0").unwrap();
    }
    assert_eq!(site.ports(), [""; 0]);
}
