// SPDX-License-Identifier: Apache-2.0
//! What happens to Nodes happens to the overlay, and nothing else does.

use e2e_tests::{Cluster, PATIENCE, fake_node, node, overlay_routes, prefixed, wait_for_routes};
use integration_tests::{Agent, Member, Stack};
use serde_json::json;

/// One member whose agent has converged, in a cluster with the fake node `f50`.
fn cluster(stack: Stack) -> (Cluster, Agent) {
    let cluster = Cluster::new(1, stack);
    cluster.kubernetes.create_node(&fake_node(50, stack));
    let member = &cluster.fleet.members[0];
    // The kernel tells of a new device's IPv6 address a second later, when nobody else has it; here
    // it is sure at once.
    let detection = "/proc/sys/net/ipv6/conf/default/accept_dad";
    member.node.write(detection, "0");
    let agent = cluster.podwired(member, &[]);
    agent.wait_for_state("converged", PATIENCE, |state| {
        state["converged"] == true && state["peersProgrammed"] == json!(1)
    });
    (cluster, agent)
}

/// What the forwarding database says of a peer's address, and the neighbours of its MAC.
fn entries(member: &Member) -> String {
    let entries = member.node.tool("bridge", "fdb show dev podwire.1");
    entries + &member.node.ip("neighbour show dev podwire.1 nud permanent")
}

#[test]
fn nodes_come_change_and_go() {
    let (cluster, _agent) = cluster(Stack::Dual);
    let (kubernetes, member) = (&cluster.kubernetes, &cluster.fleet.members[0]);
    let [first, first_v6] = ["10.200.50.0/24", "fd00:200:0:50::/64"];
    wait_for_routes(member, &[first, first_v6]);

    kubernetes.create_node(&fake_node(51, Stack::Dual));
    let [second, second_v6] = ["10.200.51.0/24", "fd00:200:0:51::/64"];
    wait_for_routes(member, &[first, second, first_v6, second_v6]);

    kubernetes.annotate("f51", &prefixed(&json!({"public-ip": "192.0.2.99"})));
    let moved = member
        .node
        .eventually(PATIENCE, || entries(member).contains("192.0.2.99"));
    assert!(
        moved.is_some() && !entries(member).contains("192.0.2.51"),
        "{}",
        entries(member)
    );

    let data = json!({"backend-data": "{\"VNI\":1,\"VtepMAC\":\"02:00:00:00:00:aa\"}"});
    kubernetes.annotate("f51", &prefixed(&data));
    let renamed = || entries(member).matches("02:00:00:00:00:aa").count() == 2;
    assert!(
        member.node.eventually(PATIENCE, renamed).is_some(),
        "{}",
        entries(member)
    );
    assert!(
        !entries(member).contains("02:00:00:00:04:33"),
        "{}",
        entries(member)
    );

    kubernetes.delete_node("f50");
    wait_for_routes(member, &[second, second_v6]);
}

/// A Node is there before it has been given its pod CIDRs: a peer's, and the own one.
#[test]
fn pod_cidrs_come_late() {
    let cluster = Cluster::unregistered(1, Stack::V4, &[]);
    let (kubernetes, member) = (&cluster.kubernetes, &cluster.fleet.members[0]);
    let agent = cluster.podwired(member, &[]);
    assert!(
        agent.says("no Node \"n1\" yet", PATIENCE),
        "{}",
        agent.log()
    );
    kubernetes.create_node(&node("n1", &[], &member.underlay()));
    assert!(agent.says("no pod CIDR yet", PATIENCE), "{}", agent.log());
    let mut late = fake_node(50, Stack::V4);
    late["spec"] = json!({});
    kubernetes.create_node(&late);
    kubernetes.create_node(&fake_node(51, Stack::V4));

    let given = |cidr: &str| json!({"spec": {"podCIDR": cidr, "podCIDRs": [cidr]}});
    kubernetes.patch_node("n1", &given("10.200.1.0/24"));
    wait_for_routes(member, &["10.200.51.0/24"]);
    kubernetes.patch_node("f50", &given("10.200.50.0/24"));
    wait_for_routes(member, &["10.200.50.0/24", "10.200.51.0/24"]);
    let said = agent.log();
    assert_eq!(said.matches("no pod CIDR yet").count(), 1, "{said}");
}

/// A thousand changes that mean nothing to the overlay: nothing is changed in the kernel.
#[test]
fn labels_change_a_thousand_times() {
    let (cluster, agent) = cluster(Stack::Dual);
    let (kubernetes, member) = (&cluster.kubernetes, &cluster.fleet.members[0]);
    let links = member.node.run(net::Monitor::open).unwrap();
    let mut rules = member.node.run(nft::Monitor::open).unwrap();
    let said = agent.log();
    let label = |name: &str, number: u32| {
        let label = json!({"metadata": {"labels": {"turn": number.to_string()}}});
        (format!("/api/v1/nodes/{name}"), label)
    };
    let patches: Vec<_> = (0..500)
        .flat_map(|turn| [label("n1", turn), label("f50", turn)])
        .collect();
    kubernetes.patch_all(&patches);
    // A change that means something, after all the others, shows that those have been seen.
    let changes = links.drain();
    assert!(changes.is_empty(), "{changes:?}\n{}", agent.log());
    assert!(!rules.drain().unwrap(), "{}", agent.log());
    kubernetes.create_node(&fake_node(51, Stack::Dual));
    let routes = || overlay_routes(member).len() == 4;
    assert!(
        member.node.eventually(PATIENCE, routes).is_some(),
        "{}",
        agent.log()
    );
    assert!(!links.drain().is_empty());
    let more = agent.log().replace(&said, "");
    assert_eq!(
        more.matches("the list of nodes changed").count(),
        1,
        "{more}"
    );
    assert_eq!(more.matches("repaired").count(), 0, "{more}");
}

/// As when the cluster's store was lost: nobody's pods are cut off by that.
#[test]
fn a_list_that_is_suddenly_empty_is_not_believed_at_once() {
    let cluster = Cluster::new(1, Stack::V4);
    let (kubernetes, member) = (&cluster.kubernetes, &cluster.fleet.members[0]);
    kubernetes.create_node(&fake_node(50, Stack::V4));
    let agent = cluster.podwired(member, &["--confirm-after", "86400"]);
    wait_for_routes(member, &["10.200.50.0/24"]);
    kubernetes.delete_node("f50");
    let doubt = "the list has no peer any more";
    assert!(agent.says(doubt, PATIENCE), "{}", agent.log());
    assert_eq!(overlay_routes(member), ["10.200.50.0/24"]);
    kubernetes.create_node(&fake_node(51, Stack::V4));
    wait_for_routes(member, &["10.200.51.0/24"]);
}
