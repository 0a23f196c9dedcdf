// SPDX-License-Identifier: Apache-2.0
//! What a node itself sends to pods of other nodes, from whatever address of its own: the answers come
//! by the overlay, so they arrive where only packets are let in that come by the way to their source.

use std::net::{IpAddr, SocketAddr};

use integration_tests::conntrack::flows;
use integration_tests::{Echo, Fleet, Member, Node, Pod, Stack, ask_tcp, ask_udp, ask_udp_from};
use serde_json::json;

const PORT: u16 = 80;

/// Two nodes with a pod each, strict about where packets come from, as clouds are.
fn lab(stack: Stack) -> (Fleet, Vec<Pod>) {
    let fleet = Fleet::new(2, stack);
    let pods = fleet.attach_each(&json!({}));
    for member in &fleet.members {
        be_strict(&member.node);
    }
    (fleet, pods)
}

/// IPv6 has no `rp_filter`.
fn be_strict(node: &Node) {
    node.write("/proc/sys/net/ipv4/conf/all/rp_filter", "1");
    for command in [
        "add table ip6 strict",
        "add chain ip6 strict prerouting { type filter hook prerouting priority raw ; }",
        "add rule ip6 strict prerouting iifname eth0 fib saddr . iif oif missing drop",
    ] {
        node.tool("nft", command);
    }
}

/// The addresses of a member's VXLAN devices: the network addresses of its pod CIDRs.
fn vteps(member: &Member) -> Vec<IpAddr> {
    let cidrs = member.pod_cidrs().into_iter();
    cidrs.map(|cidr| cidr.network()).collect()
}

/// Leads an address to another where the node's own packets begin, as kube-proxy does for a Service.
fn lead(node: &Node, service: IpAddr, to: IpAddr) {
    let family = if service.is_ipv4() { "ip" } else { "ip6" };
    for command in [
        format!("add table {family} services"),
        format!("add chain {family} services output {{ type nat hook output priority -100 ; }}"),
        format!("add rule {family} services output {family} daddr {service} dnat to {to}"),
    ] {
        node.tool("nft", &command);
    }
}

#[test]
fn the_choice_of_an_underlay_address_is_no_obstacle() {
    let (fleet, pods) = lab(Stack::Dual);
    let [own, _] = &fleet.members[..] else {
        unreachable!("there are two")
    };
    let sources = own.underlay().into_iter().zip(vteps(own));
    for ((source, vtep), pod) in sources.zip(pods[1].all_addresses()) {
        let server = Echo::start(&pods[1], pod, PORT);
        let seen = ask_udp_from(&own.node, SocketAddr::new(source, 0), server.address());
        assert_eq!(seen.unwrap().ip(), vtep, "{source} to {pod}");
    }
}

#[test]
fn nor_is_a_service_whose_pod_is_chosen_after_the_source() {
    let (fleet, pods) = lab(Stack::Dual);
    let own = &fleet.members[0];
    let services = ["10.96.0.10", "fd00:96::10"].map(|text| text.parse().unwrap());
    let pairs = services.into_iter().zip(pods[1].all_addresses());
    for ((service, pod), vtep) in pairs.zip(vteps(own)) {
        lead(&own.node, service, pod);
        let _server = Echo::start(&pods[1], pod, PORT);
        let to = SocketAddr::new(service, PORT);
        assert_eq!(ask_tcp(&own.node, to).unwrap().ip(), vtep);
        assert_eq!(ask_udp(&own.node, to).unwrap().ip(), vtep);
    }
}

/// Addresses within the pods' networks are let be: the kernel's own choice, and the bridge's.
#[test]
fn what_finds_back_anyway_is_not_translated() {
    let (fleet, pods) = lab(Stack::Dual);
    let own = &fleet.members[0];
    let gateways = own
        .pod_cidrs()
        .into_iter()
        .map(|cidr| match cidr.network() {
            IpAddr::V4(network) => IpAddr::from((u32::from(network) + 1).to_be_bytes()),
            IpAddr::V6(network) => IpAddr::from((u128::from(network) + 1).to_be_bytes()),
        });
    for ((gateway, vtep), pod) in gateways.zip(vteps(own)).zip(pods[1].all_addresses()) {
        let server = Echo::start(&pods[1], pod, PORT);
        let by_gateway = ask_udp_from(&own.node, SocketAddr::new(gateway, 0), server.address());
        assert_eq!(by_gateway.unwrap().ip(), gateway);
        assert_eq!(ask_udp(&own.node, server.address()).unwrap().ip(), vtep);
        let flows = flows(&own.node).into_iter();
        let to_pod: Vec<_> = flows.filter(|flow| flow.destination == pod).collect();
        assert_eq!(to_pod.len(), 2, "{to_pod:?}");
        assert!(
            to_pod.iter().all(|flow| !flow.is_translated()),
            "{to_pod:?}"
        );
    }
}
