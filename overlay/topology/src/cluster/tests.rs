// SPDX-License-Identifier: Apache-2.0

mod properties;
mod updated;

use std::net::Ipv4Addr;

use super::*;
use crate::{Mac, NodeList};

/// A node with a /24 of IPv4 pods and a /64 of IPv6 pods, as `index` says.
fn node(name: &str, index: u8) -> Node {
    let json = serde_json::json!({
        "name": name,
        "underlay": [format!("192.0.2.{index}"), format!("2001:db8::{index:x}")],
        "podCIDRs": [format!("10.200.{index}.0/24"), format!("fd00:0:0:{index:x}::/64")],
    });
    serde_json::from_value(json).unwrap()
}

/// A node of IPv4 alone.
fn node_v4(name: &str, underlay: &str, pod_cidr: &str) -> Node {
    let json = serde_json::json!({"name": name, "underlay": underlay, "podCIDRs": pod_cidr});
    serde_json::from_value(json).unwrap()
}

fn settings() -> Settings {
    serde_json::from_str(r#"{"network": ["10.200.0.0/16", "fd00::/48"]}"#).unwrap()
}

fn cluster(nodes: &[Node]) -> (Cluster, Vec<String>) {
    let (cluster, complaints) = Cluster::new("own", nodes.to_vec(), &settings()).unwrap();
    (
        cluster,
        complaints.iter().map(Complaint::to_string).collect(),
    )
}

fn fatal_of(nodes: &[Node]) -> String {
    let error = Cluster::new("own", nodes.to_vec(), &settings()).unwrap_err();
    error.to_string()
}

fn names(overlay: &Overlay) -> Vec<&str> {
    let peers = overlay.peers().iter();
    peers.map(|peer| peer.node.as_str()).collect()
}

/// The names of the peers by IPv4 and by IPv6.
fn peers(cluster: &Cluster) -> [Vec<&str>; 2] {
    Family::ALL.map(|family| cluster.overlay(family).map(names).unwrap_or_default())
}

#[test]
fn peers_are_all_nodes_but_this_one() {
    let (cluster, complaints) = cluster(&[node("b", 2), node("own", 1), node("a", 3)]);
    assert!(complaints.is_empty());
    assert_eq!(peers(&cluster), [["a", "b"], ["a", "b"]]);
    let v4 = cluster.overlay(Family::V4).unwrap();
    assert_eq!(v4.own().device_address().to_string(), "10.200.1.0/32");
    assert_eq!(v4.peer("a").unwrap().underlay.to_string(), "192.0.2.3");
    assert_eq!(v4.peer("a").unwrap().mac, Mac::of_node("a", Family::V4));
    assert_eq!(v4.peer("own"), None);
    assert_eq!(cluster.peers().len(), 2);
    assert_eq!(cluster.own(), "own");
}

#[test]
fn a_family_that_this_node_lacks_is_no_fault() {
    let own = node_v4("own", "192.0.2.1", "10.200.1.0/24");
    let (cluster, complaints) = cluster(&[own, node("a", 2)]);
    assert!(complaints.is_empty());
    assert_eq!(cluster.overlays().len(), 1);
    assert_eq!(peers(&cluster), [vec!["a"], vec![]]);
}

#[test]
fn pods_of_both_families_need_the_smaller_mtu() {
    let (both, _) = cluster(&[node("own", 1)]);
    assert_eq!(both.pod_mtu(|_| 1500), Ok(1430));
    let uneven = |family| if family == Family::V4 { 1500 } else { 9000 };
    assert_eq!(both.pod_mtu(uneven), Ok(1450));
    assert!(both.pod_mtu(|_| 1349).is_err());
    let (v4, _) = cluster(&[node_v4("own", "192.0.2.1", "10.200.1.0/24")]);
    assert_eq!(v4.pod_mtu(|_| 1500), Ok(1450));
}

#[test]
fn without_an_own_entry_there_is_no_overlay() {
    assert_eq!(
        fatal_of(&[node("a", 1), node("b", 2)]),
        "node own, which is this one, is not in the list of 2 nodes"
    );
    assert_eq!(
        fatal_of(&[]),
        "node own, which is this one, is not in the list of 0 nodes"
    );
    let nowhere = Cluster::new("own", vec![node("own", 1)], &Settings::default());
    assert_eq!(nowhere, Err(Fatal::NoNetwork));
}

#[test]
fn a_fault_of_the_own_entry_is_fatal() {
    let bare: Node = serde_json::from_str(r#"{"name": "own", "underlay": "192.0.2.1"}"#).unwrap();
    let no_v6 = Node {
        underlay: node_v4("own", "192.0.2.1", "10.200.1.0/24").underlay,
        ..node("own", 1)
    };
    let cases = [
        (
            vec![bare],
            "it has no pod CIDR of a family that this node has, too",
        ),
        (
            vec![node_v4("own", "192.0.2.1", "10.201.0.0/24")],
            "its pod CIDR 10.201.0.0/24 is not within the network 10.200.0.0/16",
        ),
        (
            vec![node_v4("own", "192.0.2.1", "10.0.0.0/8")],
            "its pod CIDR 10.0.0.0/8 is not within the network 10.200.0.0/16",
        ),
        (
            vec![no_v6],
            "it has the pod CIDR fd00:0:0:1::/64, but no IPv6 underlay address",
        ),
        (
            vec![node_v4("own", "10.200.1.9", "10.200.1.0/24")],
            "its pod CIDR 10.200.1.0/24 holds the underlay address 10.200.1.9 of node own",
        ),
        (
            vec![node("own", 1), node("own", 2)],
            "the list has it more than once, and not the same each time",
        ),
    ];
    for (nodes, fault) in cases {
        let sentence = format!("node own, which is this one, cannot have an overlay: {fault}");
        assert_eq!(fatal_of(&nodes), sentence);
    }
}

/// Each fault that two entries have together costs the later name that family, and no more.
#[test]
fn faults_between_two_entries() {
    let with = |name, change: &dyn Fn(&mut Node)| {
        let mut node = node(name, 9);
        change(&mut node);
        node
    };
    let v4 = |text: &str| Some(text.parse().unwrap());
    let mac = Mac::of_node("b", Family::V6);
    let cases = [
        (
            with("c", &|c| {
                c.pod_cidrs[0] = "10.200.2.128/25".parse().unwrap()
            }),
            "its pod CIDR 10.200.2.128/25 overlaps 10.200.2.0/24 of node b".to_owned(),
            Family::V4,
        ),
        (
            with("c", &|c| c.pod_cidrs[0] = "10.200.0.0/16".parse().unwrap()),
            "its pod CIDR 10.200.0.0/16 overlaps 10.200.2.0/24 of node b".to_owned(),
            Family::V4,
        ),
        (
            with("c", &|c| c.pod_cidrs[0] = "10.200.1.0/24".parse().unwrap()),
            "its pod CIDR 10.200.1.0/24 overlaps 10.200.1.0/24 of node own".to_owned(),
            Family::V4,
        ),
        (
            with("c", &|c| c.underlay.v4 = v4("192.0.2.2")),
            "its underlay address 192.0.2.2 is that of node b, too".to_owned(),
            Family::V4,
        ),
        (
            with("c", &|c| c.mac_v6 = Some(mac)),
            format!("its IPv6 MAC address {mac} is that of node b, too"),
            Family::V6,
        ),
        (
            with("c", &|c| c.underlay.v4 = v4("10.200.2.7")),
            "its underlay address 10.200.2.7 is within the pod CIDR 10.200.2.0/24 of node b"
                .to_owned(),
            Family::V4,
        ),
    ];
    for (c, fault, family) in cases {
        let (cluster, complaints) = cluster(&[c, node("own", 1), node("b", 2)]);
        assert_eq!(complaints, [format!("node c is left out: {fault}")]);
        for each in Family::ALL {
            let with_c = if each == family {
                vec!["b"]
            } else {
                vec!["b", "c"]
            };
            assert_eq!(names(cluster.overlay(each).unwrap()), with_c, "{fault}");
        }
    }
}

#[test]
fn faults_of_one_entry() {
    let cases = [
        (
            r#"{"name": "c", "underlay": "192.0.2.9"}"#,
            "it has no pod CIDR of a family that this node has, too",
        ),
        (
            r#"{"name": "c", "underlay": "2001:db8::9", "podCIDRs": "10.200.9.0/24"}"#,
            "it has the pod CIDR 10.200.9.0/24, but no IPv4 underlay address",
        ),
        (
            r#"{"name": "c", "underlay": "192.0.2.9", "podCIDRs": "10.9.0.0/24"}"#,
            "its pod CIDR 10.9.0.0/24 is not within the network 10.200.0.0/16",
        ),
        (
            r#"{"name": "c", "underlay": "127.0.0.1", "podCIDRs": "10.200.9.0/24"}"#,
            "its underlay address 127.0.0.1 is not the address of a host",
        ),
        (
            r#"{"name": "c", "underlay": "192.0.2.9", "mac": "01:00:5e:00:00:01",
                "podCIDRs": "10.200.9.0/24"}"#,
            "its IPv4 MAC address 01:00:5e:00:00:01 is not the address of a station",
        ),
        (
            r#"{"name": "c", "underlay": "10.200.9.9", "podCIDRs": "10.200.9.0/24"}"#,
            "its pod CIDR 10.200.9.0/24 holds the underlay address 10.200.9.9 of node c",
        ),
    ];
    for (json, fault) in cases {
        let c = serde_json::from_str(json).unwrap();
        let (cluster, complaints) = cluster(&[node("own", 1), c, node("d", 4)]);
        assert_eq!(complaints, [format!("node c is left out: {fault}")]);
        assert_eq!(peers(&cluster), [["d"], ["d"]]);
    }
}

#[test]
fn a_pod_cidr_around_the_underlay_is_left_out() {
    let settings: Settings = serde_json::from_str(r#"{"network": "10.0.0.0/8"}"#).unwrap();
    let nodes = vec![
        node_v4("own", "10.1.0.1", "10.200.1.0/24"),
        node_v4("b", "10.1.0.2", "10.1.0.0/16"),
    ];
    let (cluster, complaints) = Cluster::new("own", nodes, &settings).unwrap();
    assert_eq!(peers(&cluster), [[""; 0]; 2]);
    assert_eq!(
        complaints[0].to_string(),
        "node b is left out: its pod CIDR 10.1.0.0/16 holds the underlay address 10.1.0.1 of node \
         own"
    );
}

/// The own entry wins over names before it; every other node says the opposite of that pair, and
/// the same of all others.
#[test]
fn this_node_takes_its_own_side() {
    let mut a = node("a", 2);
    a.pod_cidrs[0] = "10.200.1.0/24".parse().unwrap();
    let (cluster, complaints) = cluster(&[a, node("own", 1)]);
    assert_eq!(peers(&cluster), [vec![], vec!["a"]]);
    assert_eq!(complaints.len(), 1);
}

#[test]
fn a_name_listed_twice() {
    let (same, complaints) = cluster(&[node("own", 1), node("b", 2), node("b", 2)]);
    assert!(complaints.is_empty());
    assert_eq!(peers(&same), [["b"], ["b"]]);
    let (other, complaints) = cluster(&[node("own", 1), node("b", 2), node("b", 3)]);
    assert_eq!(peers(&other), [[""; 0]; 2]);
    assert_eq!(
        complaints,
        ["node b is left out: the list has it more than once, and not the same each time"]
    );
}

/// As many as the largest clusters have, all at once; a timing is in benches/peers.rs.
#[test]
fn sixty_five_thousand_entries() {
    let node = |index: u32| {
        let underlay = Ipv4Addr::from_bits((172 << 24) + (16 << 16) + index + 1);
        let pods = Ipv4Addr::from_bits((10 << 24) + (index << 8));
        let mac = index.to_be_bytes();
        serde_json::json!({
            "name": format!("node-{index}"),
            "underlay": underlay.to_string(),
            "mac": Mac([2, 0, mac[0], mac[1], mac[2], mac[3]]).to_string(),
            "podCIDRs": [format!("{pods}/24")],
        })
    };
    let json: serde_json::Value = (0..65_000).map(node).collect();
    let list = NodeList::parse(json.to_string().as_bytes()).unwrap();
    let settings: Settings = serde_json::from_str(r#"{"network": "10.0.0.0/8"}"#).unwrap();
    let (cluster, complaints) = Cluster::new("node-7", list.nodes, &settings).unwrap();
    assert!(complaints.is_empty());
    let wish = cluster.overlay(Family::V4).unwrap().wish(1, &[]);
    let change = crate::difference(&wish, &crate::Held::default());
    assert_eq!(change.len(), 3 * 64_999);
}
