// SPDX-License-Identifier: Apache-2.0
//! What holds for every list of nodes.

use proptest::prelude::*;

use super::*;

/// Entries from so few values that most faults occur.
fn any_node() -> impl Strategy<Value = Node> {
    let within_pods = prop::bool::weighted(0.2);
    let v4 = prop::option::weighted(0.9, (within_pods, 0_u8..20));
    let cidr = (0_u8..16, prop::sample::select(vec![20_u8, 23, 24, 25]));
    let cidrs = prop::collection::vec(cidr, 0..3);
    let mac = prop::option::of(0_u8..30);
    (0_u8..12, v4, mac, cidrs, 0_u64..3).prop_map(|(name, v4, mac, cidrs, since)| {
        let network = |(index, prefix)| {
            IpNetwork::new(Ipv4Addr::new(10, 200, index, 0).into(), prefix).unwrap()
        };
        Node {
            name: format!("n{name}"),
            underlay: crate::Underlay {
                v4: v4.map(|(within_pods, v4)| match within_pods {
                    true => Ipv4Addr::new(10, 200, v4, 200),
                    false => Ipv4Addr::new(192, 0, 2, v4),
                }),
                v6: None,
            },
            mac: mac.map(|mac| Mac([2, 0, 0, 0, 0, mac])),
            mac_v6: None,
            pod_cidrs: cidrs.into_iter().map(network).collect(),
            since,
        }
    })
}

fn by_brute_force(overlay: &Overlay) -> Result<(), TestCaseError> {
    let all: Vec<_> = overlay.peers().iter().chain([overlay.own()]).collect();
    for (index, one) in all.iter().enumerate() {
        for other in &all[index + 1..] {
            prop_assert!(one.node != other.node && one.mac != other.mac);
            prop_assert!(one.underlay != other.underlay);
        }
        for other in &all {
            for cidr in &one.pod_cidrs {
                prop_assert!(!cidr.contains(other.underlay));
                let mut theirs = other.pod_cidrs.iter();
                let same = one.node == other.node;
                prop_assert!(!theirs.any(|it| cidr::holds(*it, *cidr) && !(same && it == cidr)));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Whatever the list: those that are in it together can be, those that are not are named, and
    /// the list's order means nothing.
    #[test]
    fn any_list((nodes, shuffled) in prop::collection::vec(any_node(), 1..16)
        .prop_flat_map(|nodes| (Just(nodes.clone()), Just(nodes).prop_shuffle())))
    {
        let settings = settings();
        let result = Cluster::new("n0", nodes.clone(), &settings);
        prop_assert_eq!(&result, &Cluster::new("n0", shuffled, &settings));
        if let Ok((cluster, complaints)) = result {
            by_brute_force(&cluster.overlays[0])?;
            for node in &nodes {
                let here = node.name == "n0" || cluster.peers().contains(node.name.as_str());
                let named = complaints.iter().any(|complaint| complaint.node == node.name);
                prop_assert!(here != named, "{}", node.name);
            }
        }
    }

    /// Following one list by another never makes an impossible cluster, and a list that follows
    /// itself changes nothing.
    #[test]
    fn any_two_lists(one in prop::collection::vec(any_node(), 1..16),
        other in prop::collection::vec(any_node(), 1..16))
    {
        let settings = settings();
        if let Ok((cluster, _)) = Cluster::new("n0", one.clone(), &settings) {
            prop_assert_eq!(&cluster.updated(one, &settings).unwrap().0, &cluster);
            if let Ok((updated, complaints)) = cluster.updated(other, &settings) {
                by_brute_force(&updated.overlays[0])?;
                for complaint in complaints {
                    let here = updated.peers().contains(complaint.node.as_str());
                    prop_assert_eq!(here, complaint.kept);
                }
            }
        }
    }
}
