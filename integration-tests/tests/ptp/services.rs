// SPDX-License-Identifier: Apache-2.0
//! Services: a virtual address that the host translates, as kube-proxy has it, from each pod to
//! each pod, itself among them, with br_netfilter or without.

use std::net::{IpAddr, SocketAddr};

use integration_tests::{Echo, Node, Place, Runner, ask_tcp, ask_udp};
use serde_json::json;

use crate::network;

const VIRTUAL: [&str; 2] = ["10.32.0.10", "fd00:32::10"];

/// The rules by which kube-proxy leads a virtual address to one pod.
fn serve(node: &Node, pod: &Place) {
    let [v4, v6] = pod.both_addresses();
    let rules = format!(
        "table inet service {{
            chain prerouting {{ type nat hook prerouting priority dstnat
                ip daddr {} meta mark set mark or 0x4000 dnat ip to {v4}
                ip6 daddr {} meta mark set mark or 0x4000 dnat ip6 to {v6}
            }}
            chain postrouting {{ type nat hook postrouting priority srcnat - 1
                meta mark and 0x4000 == 0x4000 ip saddr {v4} ip daddr {v4} masquerade
                meta mark and 0x4000 == 0x4000 ip6 saddr {v6} ip6 daddr {v6} masquerade
            }}
        }}",
        VIRTUAL[0], VIRTUAL[1]
    );
    node.write("/run/lab/service.nft", rules);
    node.tool("nft", "--file /run/lab/service.nft");
}

#[test]
fn each_pod_reaches_a_service_of_its_node() {
    let node = Node::new();
    let bridged = "/proc/sys/net/bridge/bridge-nf-call-iptables";
    if node.run(|| std::fs::exists(bridged)).unwrap_or(false) {
        node.write(bridged, "0");
    }
    let runner = Runner::new(&node);
    let network = network(json!({"ipMasq": true}));
    let [client, server] = [(); 2].map(|()| runner.attach(&network, &node));
    serve(&node, &server);
    for (virtual_address, own) in VIRTUAL.into_iter().zip(client.both_addresses()) {
        let address: IpAddr = virtual_address.parse().unwrap();
        let unspecified: IpAddr = match address {
            IpAddr::V4(_) => [0; 4].into(),
            IpAddr::V6(_) => [0_u16; 8].into(),
        };
        let _echo = Echo::start(&server, unspecified, 80);
        let service = SocketAddr::new(address, 80);
        for seen in [ask_udp(&client, service), ask_tcp(&client, service)] {
            assert_eq!(seen.unwrap().ip(), own, "{address}");
        }
        // The server's own call comes back to it from the host.
        for seen in [ask_udp(&server, service), ask_tcp(&server, service)] {
            assert!(seen.is_ok(), "{address}: {seen:?}");
        }
    }
}
