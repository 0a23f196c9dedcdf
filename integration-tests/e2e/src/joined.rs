// SPDX-License-Identifier: Apache-2.0
//! Whether nodes and pods are joined, whoever joins them.

use std::time::Duration;

use crate::PATIENCE;
use integration_tests::{Member, Pod, ping};

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

/// The networks to which a member's `podwired` has made routes, sorted as text.
pub fn overlay_routes(member: &Member) -> Vec<String> {
    let routes =
        ["-4", "-6"].map(|family| member.node.ip(&format!("{family} route show proto 118")));
    let networks = routes.iter().flat_map(|routes| routes.lines());
    let networks = networks.filter_map(|line| line.split_whitespace().next());
    let mut networks: Vec<_> = networks.map(str::to_owned).collect();
    networks.sort();
    networks
}

/// Waits until a member's `podwired` has made routes to exactly these networks, and returns how long
/// that took.
///
/// # Panics
/// When it does not come to that.
pub fn wait_for_routes(member: &Member, wanted: &[&str]) -> Duration {
    wait_long_for_routes(member, wanted, PATIENCE)
}

/// As [`wait_for_routes`], with a patience of the test's.
///
/// # Panics
/// When it does not come to that.
pub fn wait_long_for_routes(member: &Member, wanted: &[&str], limit: Duration) -> Duration {
    let there = || overlay_routes(member) == wanted;
    let waited = member.node.eventually(limit, there);
    waited.unwrap_or_else(|| panic!("{:?} for {wanted:?}", overlay_routes(member)))
}
