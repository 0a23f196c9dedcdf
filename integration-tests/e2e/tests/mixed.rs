// SPDX-License-Identifier: Apache-2.0
//! Nodes of flannel's and of Podwire's in one cluster.

use e2e_tests::{Cluster, PATIENCE, Rules, assert_joined, flannel_pod, wait_for_peers};
use integration_tests::{Agent, Stack, seen};
use serde_json::json;

/// Waits until an agent has programmed so many peers.
fn wait_for_state(agent: &Agent, peers: usize) {
    agent.wait_for_state("converged", PATIENCE, |state| {
        state["converged"] == true && state["peersProgrammed"] == json!(peers)
    });
}

/// flanneld, `podwired`, flanneld: each pod reaches the others, and is seen as who it is.
fn ring(stack: Stack, rules: Rules) {
    let cluster = Cluster::new(3, stack);
    let [first, own, last] = &cluster.fleet.members[..] else {
        unreachable!("there are three")
    };
    let _first = cluster.flanneld(first, rules, &["--ip-masq"]);
    let agent = cluster.podwired(own, &[]);
    let _last = cluster.flanneld(last, rules, &["--ip-masq"]);
    wait_for_state(&agent, 2);
    for member in [first, last] {
        wait_for_peers(member, 2);
    }
    let pods = [flannel_pod(first), cluster.pod(own), flannel_pod(last)];
    assert_joined(&pods);
    for (from, to) in [(0, 1), (1, 2), (2, 1), (1, 0)] {
        let (from, to) = (&pods[from], &pods[to]);
        for (from_address, to_address) in from.all_addresses().into_iter().zip(to.all_addresses()) {
            assert_eq!(seen(from, to, to_address), from_address);
        }
    }
}

#[test]
fn pods_of_both_reach_each_other() {
    ring(Stack::V4, Rules::Iptables);
}

#[test]
fn pods_of_both_reach_each_other_in_both_families() {
    ring(Stack::Dual, Rules::Nftables);
}
