// SPDX-License-Identifier: Apache-2.0
//! The cluster of "Kubernetes The Hard Way": two workers, pod networks of which the underlay knows
//! the way, and the plugin `bridge` with `ipMasq`. That configuration translates what pods of two
//! workers say to each other; the same one with `vxlan` behind it does not.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use integration_tests::conntrack::{Flow, flows};
use integration_tests::{Fleet, Member, Network, Pod, Runner, Stack, binaries, seen};
use serde_json::{Value, json};

/// Its configuration as it stands, but for the worker's own pod network.
fn configuration(worker: &Member) -> Network {
    let path = "conf-examples/kubernetes-the-hard-way/10-bridge.conf";
    let text = fs::read_to_string(binaries::workspace().join(path)).expect("the example is there");
    let mut plugin: Value = serde_json::from_str(&text).expect("it is JSON");
    let subnet = worker.pod_cidrs()[0].to_string();
    plugin["ipam"]["ranges"] = json!([[{"subnet": subnet}]]);
    assert_eq!(plugin["ipMasq"], true);
    Network::new(plugin)
}

/// What the cloud's router does: the pods of each worker are behind the worker's address.
fn route_pod_networks(fleet: &Fleet) {
    for here in &fleet.members {
        for there in fleet.members.iter().filter(|there| there.name != here.name) {
            here.node
                .add_route(there.pod_cidrs()[0], there.underlay()[0]);
        }
    }
}

/// As whom a pod of the second worker sees one of the first, and what each worker tracks of it.
fn conversation(fleet: &Fleet, pods: &[Pod]) -> (IpAddr, [Vec<Flow>; 2]) {
    let to = pods[1].ipv4("eth0");
    let seen = seen(&pods[0], &pods[1], to);
    let flows = [0, 1].map(|worker: usize| {
        let mut flows = flows(&fleet.members[worker].node);
        flows.retain(|flow| flow.destination == to);
        assert!(!flows.is_empty());
        flows
    });
    (seen, flows)
}

fn translates(plugins: &Path) {
    let fleet = Fleet::new(2, Stack::V4);
    route_pod_networks(&fleet);
    let attach = |worker: &Member| {
        let runner = Runner::with_plugins(&worker.node, plugins);
        runner.attach(&configuration(worker), &worker.node)
    };
    let pods: Vec<_> = fleet.members.iter().map(attach).collect();
    let (seen, [near, far]) = conversation(&fleet, &pods);
    let (pod, worker) = (pods[0].ipv4("eth0"), fleet.members[0].underlay()[0]);
    assert_eq!(seen, worker);
    let translated = |flow: &Flow| (flow.source, flow.reply_destination) == (pod, worker);
    assert!(near.iter().all(translated), "{near:?}");
    assert!(far.iter().all(|flow| flow.source == worker), "{far:?}");
}

#[test]
fn the_hard_way_translates_from_pod_to_pod() {
    translates(binaries::plugins());
}

#[test]
fn so_it_does_with_the_cni_projects_plugins() {
    translates(&binaries::go_plugins());
}

/// With the same file and `vxlan` behind `bridge`; it needs no routes of the underlay's.
#[test]
fn with_the_overlay_nothing_is_translated() {
    let fleet = Fleet::new(2, Stack::V4);
    let vxlan = json!({"type": "vxlan", "network": Fleet::NETWORK[0], "nodes": fleet.nodes()});
    let attach = |worker: &Member| worker.attach(&configuration(worker).followed_by(vxlan.clone()));
    let pods: Vec<_> = fleet.members.iter().map(attach).collect();
    let (address, workers) = conversation(&fleet, &pods);
    assert_eq!(address, pods[0].ipv4("eth0"));
    for flow in workers.iter().flatten() {
        assert_eq!((flow.source, flow.reply_destination), (address, address));
        assert!(!flow.is_translated(), "{flow:?}");
    }
    let outside = fleet.outside_addresses()[0];
    assert_eq!(
        seen(&pods[0], &fleet.outside, outside),
        fleet.members[0].underlay()[0]
    );
}

/// The routes by the underlay and the overlay together: pods that were attached before are exempt
/// as soon as the first one is attached with the overlay.
#[test]
fn pods_that_were_there_before_are_no_longer_translated() {
    let fleet = Fleet::new(2, Stack::V4);
    route_pod_networks(&fleet);
    let attach = |worker: &Member| worker.attach(&configuration(worker));
    let pods: Vec<_> = fleet.members.iter().map(attach).collect();
    let before = conversation(&fleet, &pods).0;
    assert_eq!(before, fleet.members[0].underlay()[0]);
    let vxlan = json!({"type": "vxlan", "network": Fleet::NETWORK[0], "nodes": fleet.nodes()});
    let attach = |worker: &Member| worker.attach(&configuration(worker).followed_by(vxlan.clone()));
    let _others: Vec<_> = fleet.members.iter().map(attach).collect();
    for worker in &fleet.members {
        worker.node.tool("conntrack", "-F");
    }
    assert_eq!(conversation(&fleet, &pods).0, pods[0].ipv4("eth0"));
}
