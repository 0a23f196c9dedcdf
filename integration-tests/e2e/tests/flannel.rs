// SPDX-License-Identifier: Apache-2.0
//! The laboratory proved with flannel alone: what a cluster of its nodes does here is known.

use e2e_tests::{Cluster, Rules, flannel_pod, subnet_env};
use integration_tests::{Member, PATIENCE, Pod, Stack, ping};
use serde_json::Value;

/// A pod on each member reaches those of all others.
fn assert_joined(cluster: &Cluster, pods: &[Pod]) {
    let families = cluster.fleet.network().len();
    for (index, from) in pods.iter().enumerate() {
        let others = pods.iter().enumerate().filter(|(other, _)| *other != index);
        let others: Vec<_> = others.flat_map(|(_, to)| to.all_addresses()).collect();
        assert_eq!(others.len(), families * (pods.len() - 1));
        for to in others {
            assert!(ping(from, to, PATIENCE), "{to}");
        }
    }
}

/// How many routes to other nodes' pods a member has.
fn routes(member: &Member) -> usize {
    let routes = ["-4", "-6"].map(|family| member.node.ip(&format!("{family} route show")));
    routes.concat().matches(" onlink").count()
}

fn ring(stack: Stack, rules: Rules) {
    let cluster = Cluster::new(3, stack);
    let members = &cluster.fleet.members;
    let start = |member| cluster.flanneld(member, rules, &["--ip-masq"]);
    let flannelds: Vec<_> = members.iter().map(start).collect();
    let pods: Vec<_> = members.iter().map(flannel_pod).collect();
    for member in members {
        let wanted = cluster.fleet.network().len() * 2;
        let joined = member
            .node
            .eventually(PATIENCE, || routes(member) == wanted);
        assert!(joined.is_some(), "{}", flannelds[0].log());
    }
    assert_joined(&cluster, &pods);
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
