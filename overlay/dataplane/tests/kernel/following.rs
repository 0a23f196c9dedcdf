// SPDX-License-Identifier: Apache-2.0
//! From one list to the next with a look at the changed peers only.

use dataplane::{Action, Dataplane, Origin};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use topology::Node;

use crate::lab::{Host, Lab, assert_cross, entries, entry, settings};

const BOTH: [&str; 2] = ["podwire.1", "podwire-v6.1"];
const DIRECT: &str = r#", "directRouting": true"#;
const PEERS: usize = 6;

/// What a peer has of a list; numbers are dealt out, so that no two peers have one.
#[derive(Debug)]
struct Hand {
    families: &'static str,
    /// Whether it is in no subnet of the node.
    outside: bool,
    wire: u8,
    mac: u8,
    pods: u8,
    /// Whether its pods are in two networks, the first of which begins as the one would.
    split: bool,
}

impl Hand {
    fn node(&self, name: String) -> Node {
        let Self {
            wire, mac, pods, ..
        } = self;
        let (mut underlay, mut cidrs) = (Vec::new(), Vec::new());
        let halves = if self.split { vec![0, 8] } else { vec![0] };
        if self.families.contains('4') {
            let subnet = if self.outside {
                "198.51.100"
            } else {
                "192.0.2"
            };
            underlay.push(format!("{subnet}.{wire}"));
            let length = if self.split { 25 } else { 24 };
            let network = |half: &u8| format!("10.100.{pods}.{}/{length}", half * 16);
            cidrs.extend(halves.iter().map(network));
        }
        if self.families.contains('6') {
            let subnet = if self.outside {
                "2001:db8:9"
            } else {
                "2001:db8"
            };
            underlay.push(format!("{subnet}::{wire}"));
            let length = if self.split { 61 } else { 60 };
            let network = |half: &u8| format!("fd00:0:0:{pods:x}{half}::/{length}");
            cidrs.extend(halves.iter().map(network));
        }
        let json = serde_json::json!({
            "name": name, "underlay": underlay, "podCIDRs": cidrs,
            "mac": format!("02:00:00:00:04:{mac:02x}"), "macV6": format!("02:00:00:00:06:{mac:02x}"),
        });
        serde_json::from_value(json).unwrap()
    }
}

fn any_list() -> impl Strategy<Value = Vec<Node>> {
    let deal = || Just((2..9_u8).collect::<Vec<_>>()).prop_shuffle();
    let families = prop::sample::select(vec!["", "4", "6", "46", "46"]);
    let kinds = prop::collection::vec((families, any::<bool>(), any::<bool>()), PEERS);
    (kinds, deal(), deal(), deal()).prop_map(|(kinds, wires, macs, pods)| {
        let hand = |(index, (families, outside, split)): (usize, (_, _, _))| Hand {
            families,
            outside,
            wire: wires[index],
            mac: macs[index],
            pods: pods[index],
            split,
        };
        let hands = kinds.into_iter().enumerate().map(hand);
        let hands = hands
            .enumerate()
            .filter(|(_, hand)| !hand.families.is_empty());
        let peers = hands.map(|(index, hand)| hand.node(format!("peer{index}")));
        peers.chain([entry(1, "46")]).collect()
    })
}

/// After each step the kernel holds what a look at everything would make it hold, and no more was
/// done than it would have done.
fn any_walk(keys: &str) {
    let settings = settings(keys);
    let walks = prop::collection::vec(any_list(), 2..8);
    let mut runner = TestRunner::new(Config::with_cases(24));
    let walked = runner.run(&walks, |lists| {
        let lab = Lab::new(1);
        let host = &lab.nodes[0];
        lab.program(&lists[..1].concat(), &settings);
        for pair in lists.windows(2) {
            let (before, after) = (&pair[0], &pair[1]);
            let due = host.audit(after, &settings);
            let done = host.follow(before, after, &settings);
            prop_assert!(done.errors.is_empty(), "{:?}", done.errors);
            prop_assert_eq!(&done.operations, &due.operations);
            let left = host.audit(after, &settings);
            prop_assert!(left.is_clean(), "{:?}", left);
        }
        Ok(())
    });
    walked.unwrap();
}

#[test]
fn any_list_after_any_other() {
    any_walk("");
}

#[test]
fn any_list_after_any_other_with_direct_routing() {
    any_walk(DIRECT);
}

#[test]
fn packets_cross_to_who_has_come() {
    let (lab, settings) = (Lab::new(3), settings(""));
    lab.program(&entries(3, "46"), &settings);
    let host = &lab.nodes[0];
    let left = host.follow(&entries(3, "46"), &entries(2, "46"), &settings);
    assert_eq!((left.differing, left.errors.len()), (6, 0), "{left:?}");
    let come = host.follow(&entries(2, "46"), &entries(3, "46"), &settings);
    assert_eq!((come.differing, come.errors.len()), (6, 0), "{come:?}");
    assert_eq!(come.peers.iter().collect::<Vec<_>>(), ["node3"]);
    assert_eq!(come.devices.len(), 2);
    assert_cross(&lab, 1, 3, "46");
    host.assert_quiet(&entries(3, "46"), &settings, &BOTH);
}

/// Nothing of the other peers is looked at.
#[test]
fn what_others_broke_is_left_to_a_look() {
    let (lab, settings) = (Lab::new(1), settings(""));
    let host = &lab.nodes[0];
    lab.program(&entries(3, "46"), &settings);
    host.ip("neigh flush dev podwire.1 nud permanent");
    let report = host.follow(&entries(3, "46"), &entries(4, "46"), &settings);
    assert_eq!(
        (report.differing, report.errors.len()),
        (6, 0),
        "{report:?}"
    );
    assert_eq!(host.audit(&entries(4, "46"), &settings).differing, 2);
}

/// A device that is not as it should be, and another entry of this node's, are more than that.
#[test]
fn where_more_than_peers_differs_all_is_looked_at() {
    let (lab, settings) = (Lab::new(1), settings(""));
    let host = &lab.nodes[0];
    let three = entries(3, "46");
    lab.program(&three, &settings);
    for damage in [
        "link del podwire.1",
        "link set podwire-v6.1 down",
        "link set podwire.1 mtu 1300",
    ] {
        host.ip(damage);
        let report = host.follow(&three, &three, &settings);
        assert!(
            report.errors.is_empty() && report.differing > 0,
            "{damage}: {report:?}"
        );
        assert!(host.audit(&three, &settings).is_clean(), "{damage}");
    }
    let mut renewed = entries(3, "46");
    renewed[0].mac = Some("02:00:00:00:77:01".parse().unwrap());
    renewed[0].pod_cidrs.push("10.100.77.0/24".parse().unwrap());
    let mut fewer = renewed.clone();
    fewer[0].pod_cidrs.retain(ipnetwork::IpNetwork::is_ipv4);
    // Nobody but a look at everything sees it.
    host.ip("route add 10.100.77.0/24 via 192.0.2.9 dev eth0");
    let report = host.follow(&three, &renewed, &settings);
    assert_eq!(report.complaints.len(), 1, "{report:?}");
    let mut before = three;
    for after in [renewed, fewer, entries(3, "46")] {
        let report = host.follow(&before, &after, &settings);
        assert!(report.errors.is_empty(), "{:?}", report.errors);
        assert!(host.audit(&after, &settings).is_clean());
        before = after;
    }
}

fn shown(host: &Host) -> String {
    host.ip("-6 route show proto static")
}

/// Another's route where ours is to come is neither replaced nor joined.
#[test]
fn anothers_route_in_the_place_stays() {
    let (lab, settings) = (Lab::new(1), settings(DIRECT));
    let host = &lab.nodes[0];
    let (two, mut three) = (entries(2, "46"), entries(3, "46"));
    lab.program(&two, &settings);
    host.ip("-6 route add fd00:0:0:3::/64 via 2001:db8::9 dev eth0 proto static");
    let before = shown(host);
    let report = host.follow(&two, &three, &settings);
    let objects: Vec<_> = report
        .errors
        .iter()
        .map(|failure| &failure.object)
        .collect();
    assert_eq!(objects, ["fd00:0:0:3::/64"]);
    assert_eq!(shown(host), before);
    // The same with one that is to be replaced, as the peer moves behind the tunnel.
    let direct = three.clone();
    three[2].underlay.v6 = Some("2001:db8:9::3".parse().unwrap());
    let report = host.follow(&direct, &three, &settings);
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    assert_eq!(report.complaints.len(), 1);
    assert_eq!(shown(host), before);
}

#[test]
fn a_device_that_was_flannels_is_followed_on() {
    let (lab, settings) = (Lab::new(1), settings(""));
    let host = &lab.nodes[0];
    let dataplane = Dataplane {
        origin: Origin::Flannel,
        ..host.dataplane(&settings)
    };
    let [two, three] = [2, 3].map(|count| host.cluster(&entries(count, "4"), &settings));
    let report = host.inside(|| dataplane.reconcile(&two));
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    let report = host.inside(|| dataplane.follow(&two, &three));
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    assert_eq!(report.operations[&Action::AddRoute], 1);
    assert_eq!(report.devices[0].name, "flannel.1");
    assert!(host.inside(|| dataplane.audit(&three)).is_clean());
}
