// SPDX-License-Identifier: Apache-2.0
//! Whether nodes and pods are joined, whoever joins them.

use integration_tests::{Member, PATIENCE, Pod, ping};

/// How many routes to other nodes' pods a member has, of both families.
pub fn peer_routes(member: &Member) -> usize {
    let routes = ["-4", "-6"].map(|family| member.node.ip(&format!("{family} route show")));
    routes.concat().matches(" onlink").count()
}

/// Waits until a member has routes to the pods of `peers` others.
///
/// # Panics
/// When it does not come to that.
pub fn wait_for_peers(member: &Member, peers: usize) {
    let wanted = member.pod_cidrs().len() * peers;
    let joined = || peer_routes(member) == wanted;
    let routes = || member.node.ip("route show table all");
    let waited = member.node.eventually(PATIENCE, joined);
    assert!(
        waited.is_some(),
        "{}: {peers} peers are not in\n{}",
        member.name,
        routes()
    );
}

/// Pings from each pod to all addresses of each other one.
///
/// # Panics
/// When one is not answered.
pub fn assert_joined(pods: &[Pod]) {
    for (index, from) in pods.iter().enumerate() {
        let others = pods.iter().enumerate().filter(|(other, _)| *other != index);
        for to in others.flat_map(|(_, to)| to.all_addresses()) {
            assert!(ping(from, to, PATIENCE), "from pod {index} to {to}");
        }
    }
}
