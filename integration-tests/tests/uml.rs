// SPDX-License-Identifier: Apache-2.0
//! The other kernel proved: it boots, filters VLANs, and the laboratory works in it.

use std::time::Duration;

use integration_tests::{Node, ping, uml};

#[test]
fn vlans_are_filtered_inside() {
    uml::with_vlan_filtering("vlans_are_filtered_inside", || {
        assert!(uml::filters_vlans());
        let node = Node::new();
        let (a, b) = (node.pod("a"), node.pod("b"));
        node.ip("link add br0 up type bridge vlan_filtering 1");
        for (pod, wire) in [(&a, "wire-a"), (&b, "wire-b")] {
            node.connect(wire, pod, "eth0", 1500);
            node.ip(&format!("link set {wire} master br0"));
        }
        a.add_address("eth0", "10.5.0.1/24".parse().unwrap());
        b.add_address("eth0", "10.5.0.2/24".parse().unwrap());
        let reaches = || ping(&a, b.ipv4("eth0"), Duration::from_secs(2));

        assert!(reaches(), "both ports are in VLAN 1");
        node.tool("bridge", "vlan delete dev wire-b vid 1");
        node.tool("bridge", "vlan add dev wire-b vid 7 pvid untagged");
        assert!(!reaches(), "VLAN 1 and VLAN 7 are apart");
        node.tool("bridge", "vlan delete dev wire-a vid 1");
        node.tool("bridge", "vlan add dev wire-a vid 7 pvid untagged");
        assert!(reaches(), "both ports are in VLAN 7");
    });
}
