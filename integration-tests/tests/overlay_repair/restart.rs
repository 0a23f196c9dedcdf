// SPDX-License-Identifier: Apache-2.0
//! Agents that end and start again: what they leave, what they find, and that no packet notices.

use std::time::Duration;

use integration_tests::{Agent, Fleet, Stack, Stream};
use serde_json::json;

use crate::lab::{
    BOTH, Cluster, LIMIT, LIST, assert_go_on, differences, list_of, publish, started, view,
};
use crate::many;

const PACE: Duration = Duration::from_millis(1);

fn streams(cluster: &Cluster) -> Vec<Stream> {
    let (client, server) = (&cluster.pods[0], &cluster.pods[1]);
    let addresses = server.all_addresses().into_iter();
    let stream = |address| Stream::start(client, server, address, 81, PACE);
    addresses.map(stream).collect()
}

/// The list of a fleet's nodes and of so many peers that nobody has ever seen.
fn with_crowd(fleet: &Fleet, peers: u32) -> String {
    let mut nodes = fleet.nodes();
    let listed = nodes.as_array_mut().expect("it is a list");
    listed.extend((1..=peers).map(many::peer));
    json!({"network": ["10.0.0.0/8", "fd00::/16"], "nodes": nodes}).to_string()
}

#[test]
fn restarts_and_crashes_interrupt_no_packet() {
    let fleet = Fleet::new(2, Stack::Dual);
    let list = with_crowd(&fleet, 5000);
    let mut cluster = Cluster::of(fleet, &list, &[]);
    let (talks, streams) = (cluster.talk(0, 1), streams(&cluster));
    let whole = view(cluster.node(0));
    let ends: [fn(Agent); 2] = [
        |agent| assert!(agent.terminate().status.success()),
        |agent| drop(agent.kill()),
    ];
    for end in ends {
        for index in 0..2 {
            cluster.restart(index, end, &[]);
            cluster.assert_right(index);
        }
        assert_go_on(&talks);
    }
    let changed = differences(&whole, &view(cluster.node(0)));
    assert!(changed.is_empty(), "{changed:#?}");
    for stream in streams {
        let tally = stream.end();
        assert_eq!(tally.lost(), 0, "{tally:?}");
    }
}

/// Reference F7: flannel never removes what an earlier run of its left.
#[test]
fn what_an_earlier_run_left_goes_with_the_first_list_and_not_before() {
    for unreadable in [Some("{"), Some("[]"), Some(r#"{"nodes": []}"#), None] {
        let mut cluster = Cluster::new(3, Stack::Dual);
        let talks = cluster.talk(0, 1);
        let whole = view(cluster.node(0));
        assert!(cluster.agents.remove(0).terminate().status.success());
        let node = cluster.node(0);
        match unreadable {
            Some(list) => publish(node, list),
            None => node.run(|| std::fs::remove_file(LIST)).unwrap(),
        }
        let agent = Agent::start(node, &["--nodes", LIST]);
        assert!(agent.says("ERROR", LIMIT), "{}", agent.log());
        let changed = differences(&whole, &view(node));
        assert!(changed.is_empty(), "{unreadable:?}: {changed:#?}");
        let mut nodes = cluster.fleet.nodes();
        nodes.as_array_mut().unwrap().remove(2);
        publish(node, &list_of(&cluster.fleet, &nodes));
        assert!(agent.says("the overlay is usable", LIMIT));
        cluster.agents.insert(0, agent);
        cluster.assert_right(0);
        let left = view(cluster.node(0));
        let stale = [
            "10.200.3.0",
            "fd00:200:0:3::",
            "192.0.2.13",
            "2001:db8:1::13",
        ];
        for line in &left {
            assert!(!stale.iter().any(|words| line.contains(words)), "{line}");
        }
        assert_eq!(left.difference(&whole).count(), 0);
        assert_go_on(&talks);
    }
}

/// An agent that has been dead for a while: the cluster has changed, and the kernel too.
#[test]
fn what_happened_meanwhile_is_mended_at_the_start() {
    let mut cluster = Cluster::new(2, Stack::Dual);
    let talks = cluster.talk(0, 1);
    let whole = view(cluster.node(0));
    drop(cluster.agents.remove(0).kill());
    let node = cluster.node(0);
    node.ip("link delete podwire.1");
    node.ip("-6 route flush proto 118");
    node.tool("nft", "delete table inet podwire-overlay");
    let agent = started(node, &[]);
    cluster.agents.insert(0, agent);
    let node = cluster.node(0);
    cluster.assert_becomes(0, &whole, || view(node));
    assert_go_on(&talks);
}

/// Reference F9 and F10: a changed MTU reaches a device that is there, and over IPv6 it is smaller.
#[test]
fn another_mtu_reaches_the_devices() {
    let mut cluster = Cluster::new(2, Stack::Dual);
    let talks = cluster.talk(0, 1);
    let before = BOTH.map(|name| cluster.node(0).link(name).index);
    for (options, mtus) in [(&["--mtu", "1400"][..], [1350, 1330]), (&[], [1450, 1430])] {
        cluster.restart(0, |agent| drop(agent.terminate()), options);
        cluster.assert_right(0);
        let node = cluster.node(0);
        assert_eq!(BOTH.map(|name| node.mtu(name)), mtus);
        assert_eq!(BOTH.map(|name| node.link(name).index), before);
        assert_go_on(&talks);
    }
}

/// Reference F23: flannel's more specific routes stay on the old device, and packets with them.
#[test]
fn another_vni_leaves_nothing_of_the_old_one() {
    let mut cluster = Cluster::new(2, Stack::Dual);
    let talks = cluster.talk(0, 1);
    for index in 0..2 {
        cluster.restart(index, |agent| drop(agent.terminate()), &["--vni", "2"]);
        cluster.assert_right(index);
        let lines = view(cluster.node(index));
        for device in BOTH {
            let of_old = lines.iter().find(|line| line.contains(device));
            assert_eq!(of_old, None);
        }
        let routes = cluster.node(index).ip("route show proto 118");
        assert!(routes.contains("dev podwire.2 "), "{routes}");
    }
    assert_go_on(&talks);
}
