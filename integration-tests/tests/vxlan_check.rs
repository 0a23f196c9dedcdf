// SPDX-License-Identifier: Apache-2.0
//! CHECK of `vxlan` says what of the overlay is not as its list of nodes wishes, and mends nothing.

use integration_tests::{LoneNode, Network};
use serde_json::json;

#[test]
fn what_differs_is_named_and_counted() {
    let site = LoneNode::new();
    let network = Network::of_lone_node(&json!({"nodes": LoneNode::nodes(7)}));
    let pod = site.node.pod("a");
    site.add(&network, &pod);
    for (command, words) in [
        (
            "ip route flush proto 118",
            "for nodes peer1, peer2, peer3, peer4, peer5, 2 more: add route: 7",
        ),
        (
            "ip neigh flush dev podwire.1 nud permanent",
            "set neighbour: 7",
        ),
        ("bridge fdb flush dev podwire.1", "set forwarding entry: 7"),
        (
            "ip link set podwire.1 mtu 1300",
            "the kernel differs from the list: set MTU: 1",
        ),
        (
            "nft flush set inet podwire-overlay vteps4",
            "198.18.0.1 and 6 more",
        ),
        ("ip link delete podwire.1", "create device: 1"),
        (
            "ip address delete 192.0.2.2/24 dev eth0",
            "no link of this node has its IPv4 underlay",
        ),
    ] {
        let (program, arguments) = command.split_once(' ').unwrap();
        site.node.tool(program, arguments);
        for _ in 0..2 {
            let (code, text) = site
                .check(&network.with_at(1, &json!({"node": "own"})), &pod)
                .unwrap();
            assert!(code == 105 && text.contains(words), "{command}: {text}");
        }
        if !command.starts_with("ip address") {
            site.runner.gc(&network, &[("a", "eth0")]).unwrap();
            assert_eq!(site.check(&network, &pod), None, "{command}");
        }
    }
}

#[test]
fn another_list_is_a_difference() {
    let site = LoneNode::new();
    let by = |peers| Network::of_lone_node(&json!({"nodes": LoneNode::nodes(peers)}));
    let pod = site.node.pod("a");
    site.add(&by(3), &pod);
    let (code, text) = site.check(&by(4), &pod).unwrap();
    assert!(code == 105 && text.contains("for nodes peer4"), "{text}");
    let (code, text) = site.check(&by(2), &pod).unwrap();
    assert!(code == 105 && text.contains("delete route: 1"), "{text}");
    let (code, text) = site
        .check(&Network::of_lone_node(&json!({"nodes": []})), &pod)
        .unwrap();
    assert!(code == 7 && text.contains("none of the 0 nodes"), "{text}");
}
