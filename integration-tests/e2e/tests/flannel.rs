// SPDX-License-Identifier: Apache-2.0
//! The laboratory proved with flannel alone: what a cluster of its nodes does here is known.

use e2e_tests::{Cluster, Rules, assert_joined, flannel_pod, subnet_env, wait_for_peers};
use integration_tests::Stack;
use serde_json::Value;

fn ring(stack: Stack, rules: Rules) {
    let cluster = Cluster::new(3, stack);
    let members = &cluster.fleet.members;
    let start = |member| cluster.flanneld(member, rules, &["--ip-masq"]);
    let _flannelds: Vec<_> = members.iter().map(start).collect();
    let pods: Vec<_> = members.iter().map(flannel_pod).collect();
    for member in members {
        wait_for_peers(member, 2);
    }
    assert_joined(&pods);
}

#[test]
fn three_of_them_join_their_pods() {
    ring(Stack::V4, Rules::Iptables);
}

#[test]
fn three_of_them_join_their_pods_in_both_families() {
    ring(Stack::Dual, Rules::Nftables);
}

/// What Podwire has to write byte for byte as flannel does.
#[test]
fn what_it_publishes() {
    let cluster = Cluster::new(1, Stack::Dual);
    let member = &cluster.fleet.members[0];
    let _flanneld = cluster.flanneld(member, Rules::Nftables, &[]);
    let node = cluster.kubernetes.node("n1").unwrap();
    let annotation = |key: &str| {
        node["metadata"]["annotations"][format!("flannel.alpha.coreos.com/{key}")].clone()
    };
    let mac = member.node.link("flannel.1").mac;
    assert_eq!(
        annotation("backend-data"),
        Value::from(format!("{{\"VNI\":1,\"VtepMAC\":\"{mac}\"}}"))
    );
    assert_eq!(annotation("public-ip"), Value::from("192.0.2.11"));
    assert_eq!(subnet_env(member)["FLANNEL_MTU"], "1450");
}
