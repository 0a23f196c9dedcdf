// SPDX-License-Identifier: Apache-2.0
//! The keys `vlan`, `vlanTrunk` and `preserveDefaultVlan`, on a kernel that filters VLANs.

use std::net::IpAddr;
use std::thread;

use integration_tests::uml::with_vlan_filtering;
use integration_tests::{BRIEFLY, Network, Node, PATIENCE, Place, Pod, Runner, ping};
use net::PortVlan;
use serde_json::{Value, json};

const SUBNET: [&str; 1] = ["10.90.0.0/24"];

fn network(name: &str, keys: Value) -> Network {
    Network::of_bridge(name, &SUBNET, keys)
}

/// A layer 2 network on the same bridge, whose pods get their addresses from the test.
fn layer2(keys: Value) -> Network {
    Network::of_layer2("layer2", keys)
}

fn give(place: &Place, interface: &str, address: &str) {
    let network = address.parse().expect("an address with a prefix");
    place.add_address(interface, network);
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn reaches(from: &Place, to: &str) -> bool {
    ping(from, address(to), PATIENCE)
}

fn is_cut_off(from: &Place, to: &str) -> bool {
    !ping(from, address(to), BRIEFLY)
}

/// The VLANs of a pod's port, as (first, last, pvid).
fn vlans(node: &Node, pod: &Pod) -> Vec<(u16, u16, bool)> {
    let port = pod.link("eth0").peer.expect("eth0 is one end of a pair");
    let vlans = node
        .rtnl()
        .port_vlans(port)
        .expect("the kernel lists VLANs");
    let span = |vlan: PortVlan| (vlan.first, vlan.last, vlan.pvid && vlan.untagged);
    vlans.into_iter().map(span).collect()
}

#[test]
fn an_access_vlan_holds_its_pods_and_its_gateway_together() {
    let name = "an_access_vlan_holds_its_pods_and_its_gateway_together";
    with_vlan_filtering(name, || {
        let node = Node::new();
        let runner = Runner::new(&node);
        let red = network("red", json!({"vlan": 100}));
        let a = runner.attach(&red, &node);
        // What somebody set down is up again after the next attachment.
        node.ip("link set cni0.100 down");
        let b = runner.attach(&red, &node);
        let blue = runner.attach(&layer2(json!({"vlan": 200})), &node);
        let plain = runner.attach(&layer2(json!({})), &node);
        for (pod, address) in [(&blue, "10.90.0.250/24"), (&plain, "10.90.0.251/24")] {
            give(pod, "eth0", address);
        }
        assert_eq!(vlans(&node, &a), [(100, 100, true)]);
        let result = runner.result(&red, a.name(), "eth0").unwrap();
        assert_eq!(result["interfaces"][3]["name"], "cni0.100");
        assert_eq!(
            node.addresses("cni0").len(),
            0,
            "the gateway is on cni0.100"
        );

        assert!(reaches(&a, &b.ipv4("eth0").to_string()));
        assert!(reaches(&a, "10.90.0.1"), "the gateway");
        for stranger in ["10.90.0.250", "10.90.0.251"] {
            assert!(is_cut_off(&a, stranger), "{stranger} is in another VLAN");
        }
        runner.check(&red, &a, "eth0").unwrap();
        let port = node
            .rtnl()
            .link_at(a.link("eth0").peer.unwrap())
            .unwrap()
            .unwrap();
        node.tool("bridge", &format!("vlan delete dev {} vid 100", port.name));
        let (code, text) = runner.check(&red, &a, "eth0").unwrap_err().error();
        assert!(code == 105 && text.contains("VLAN 100"), "{code} {text}");
        for pod in [&a, &b] {
            runner.del(&red, pod, "eth0").unwrap();
            assert!(pod.interfaces().is_empty());
        }
    });
}

#[test]
fn first_attachments_in_parallel_share_one_vlan_interface() {
    let name = "first_attachments_in_parallel_share_one_vlan_interface";
    with_vlan_filtering(name, || {
        let node = Node::new();
        let runner = Runner::new(&node);
        let red = network("red", json!({"vlan": 100}));
        let pods: Vec<Pod> = (0..8).map(|_| node.any_pod()).collect();
        thread::scope(|scope| {
            for pod in &pods {
                scope.spawn(|| runner.add(&red, pod, "eth0").unwrap());
            }
        });
        for pod in &pods {
            assert!(reaches(pod, "10.90.0.1"));
        }
        let ports = node.rtnl().ports(node.link("cni0").index).unwrap();
        assert_eq!(
            ports.len(),
            pods.len() + 1,
            "a port for each pod and one for cni0.100"
        );
    });
}

#[test]
fn the_gateway_comes_back_with_a_bridge_that_was_deleted() {
    let name = "the_gateway_comes_back_with_a_bridge_that_was_deleted";
    with_vlan_filtering(name, || {
        let node = Node::new();
        let runner = Runner::new(&node);
        let red = network("red", json!({"vlan": 100}));
        let _cut_off = runner.attach(&red, &node);
        node.ip("link delete cni0");
        let pod = runner.attach(&red, &node);
        assert!(reaches(&pod, "10.90.0.1"));
    });
}

#[test]
fn a_trunk_carries_its_vlans_tagged_and_no_others() {
    let name = "a_trunk_carries_its_vlans_tagged_and_no_others";
    with_vlan_filtering(name, || {
        let node = Node::new();
        let runner = Runner::new(&node);
        let trunk = layer2(json!({"vlanTrunk": [{"id": 42}, {"minID": 1000, "maxID": 1010}]}));
        let router = runner.attach(&trunk, &node);
        let wanted = [(1, 1, true), (42, 42, false), (1000, 1010, false)];
        assert_eq!(vlans(&node, &router), wanted);
        give(&router, "eth0", "10.91.1.1/24");
        for (vlan, subnet) in [(42, 42), (1005, 105), (43, 43)] {
            router.ip(&format!(
                "link add link eth0 name eth0.{vlan} up type vlan id {vlan}"
            ));
            give(
                &router,
                &format!("eth0.{vlan}"),
                &format!("10.91.{subnet}.1/24"),
            );
        }
        for (vlan, subnet, carried) in [
            (0, 1, true),
            (42, 42, true),
            (1005, 105, true),
            (43, 43, false),
        ] {
            let pod = runner.attach(&layer2(json!({"vlan": vlan, "vlanTrunk": null})), &node);
            give(&pod, "eth0", &format!("10.91.{subnet}.2/24"));
            let gateway = format!("10.91.{subnet}.1");
            let right = if carried {
                reaches(&pod, &gateway)
            } else {
                is_cut_off(&pod, &gateway)
            };
            assert!(right, "VLAN {vlan}");
        }
        runner.check(&trunk, &router, "eth0").unwrap();
    });
}

#[test]
fn the_default_vlan_stays_on_wish_only() {
    let name = "the_default_vlan_stays_on_wish_only";
    with_vlan_filtering(name, || {
        let node = Node::new();
        let runner = Runner::new(&node);
        let with = |keep: bool| layer2(json!({"vlan": 100, "preserveDefaultVlan": keep}));
        let kept = runner.attach(&with(true), &node);
        let dropped = runner.attach(&with(false), &node);
        assert_eq!(vlans(&node, &kept), [(1, 1, false), (100, 100, true)]);
        assert_eq!(vlans(&node, &dropped), [(100, 100, true)]);
        let native = layer2(json!({"vlan": 7, "vlanTrunk": [{"minID": 5, "maxID": 9}]}));
        let native = runner.attach(&native, &node);
        assert_eq!(
            vlans(&node, &native),
            [(5, 6, false), (7, 7, true), (8, 9, false)]
        );
    });
}

#[test]
fn a_bridge_of_the_host_is_made_to_filter_unless_that_cuts_its_ports_off() {
    let name = "a_bridge_of_the_host_is_made_to_filter_unless_that_cuts_its_ports_off";
    with_vlan_filtering(name, || {
        let node = Node::new();
        let runner = Runner::new(&node);
        node.ip("link add cni0 up type bridge");
        let (a, b) = (
            runner.attach(&layer2(json!({})), &node),
            runner.attach(&layer2(json!({})), &node),
        );
        give(&a, "eth0", "10.92.0.1/24");
        give(&b, "eth0", "10.92.0.2/24");
        let red = layer2(json!({"vlan": 100}));
        let pod = runner.attach(&red, &node);
        give(&pod, "eth0", "10.92.0.3/24");
        assert!(
            reaches(&a, "10.92.0.2"),
            "the ports that were there go on in VLAN 1"
        );
        assert!(is_cut_off(&a, "10.92.0.3"));

        node.ip("link add cni1 up type bridge vlan_default_pvid 0");
        let red = layer2(json!({"bridge": "cni1", "vlan": 100}));
        let late = node.any_pod();
        let (code, text) = runner.add(&red, &late, "eth0").unwrap_err().error();
        assert!(
            code == 107 && text.contains("default_pvid 0"),
            "{code} {text}"
        );
        assert!(late.interfaces().is_empty());
    });
}
