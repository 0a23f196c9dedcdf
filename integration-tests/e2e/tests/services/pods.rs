// SPDX-License-Identifier: Apache-2.0
//! Pods that ask for a Service.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use e2e_tests::{ProxyMode, Service};
use integration_tests::{ask_tcp, ask_udp};
use serde_json::json;

use crate::in_both_modes;
use crate::scene::{Scene, chosen, flows_to, seen_by};

/// Enough connections that it is no matter of luck: that all of them are led to one of two pods has a
/// probability of 2^-47.
const MANY: usize = 48;

in_both_modes!(
    pods_reach_a_service,
    new_connections_go_where_there_are_pods
);

/// On the same node and on the other one; the serving pod sees the client's own address.
fn pods_reach_a_service(mode: ProxyMode) {
    let scene = Scene::new(&mode.into());
    for (name, pod) in [("near", scene.near()), ("far", scene.far())] {
        let service = scene.service(name, &json!({}), &[pod]);
        let pairs = service.addresses.iter().zip(scene.client().all_addresses());
        for ((address, client), pod) in pairs.zip(pod.all_addresses()) {
            assert_eq!(seen_by(scene.client(), *address), client, "{name}");
            let flows = flows_to(scene.node(), *address);
            let protocols: BTreeSet<_> = flows.iter().map(|flow| &*flow.protocol).collect();
            assert_eq!(protocols, ["tcp", "udp"].into(), "{name}: {flows:?}");
            for flow in flows {
                let ends = (flow.source, flow.reply_source, flow.reply_destination);
                assert_eq!(ends, (client, pod, client), "{flow:?}");
            }
        }
    }
    let both = scene.service("both", &json!({}), &[scene.near(), scene.far()]);
    let pods = [scene.near(), scene.far()].map(|pod| pod.all_addresses());
    for (index, address) in both.addresses.iter().enumerate() {
        ask_often(&scene, &both);
        let pods = pods.iter().map(|addresses| addresses[index]).collect();
        for protocol in ["tcp", "udp"] {
            let mut flows = flows_to(scene.node(), *address);
            flows.retain(|flow| flow.protocol == protocol);
            assert_eq!(chosen(&flows), pods, "{protocol} {flows:?}");
        }
    }
}

/// A pod that is no longer ready gets no connection more.
fn new_connections_go_where_there_are_pods(mode: ProxyMode) {
    let scene = Scene::new(&mode.into());
    let service = scene.service("shrinking", &json!({}), &[scene.near(), scene.far()]);
    ask_often(&scene, &service);
    scene.replace_pods(&service, &[scene.far()], scene.near());
    scene.node().node.tool("conntrack", "-F");
    ask_often(&scene, &service);
    for (address, pod) in service.addresses.iter().zip(scene.far().all_addresses()) {
        let flows = flows_to(scene.node(), *address);
        assert_eq!(chosen(&flows), [pod].into(), "{flows:?}");
    }
}

/// Each question is answered.
fn ask_often(scene: &Scene, service: &Service) {
    for address in &service.addresses {
        for _ in 0..MANY {
            let http = SocketAddr::new(*address, Service::HTTP);
            let dns = SocketAddr::new(*address, Service::DNS);
            ask_tcp(scene.client(), http).expect("it is answered");
            ask_udp(scene.client(), dns).expect("it is answered");
        }
    }
}
