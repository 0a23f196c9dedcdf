// SPDX-License-Identifier: Apache-2.0
//! What a newer list makes of an overlay's peers.

use std::cmp::Ordering;

use crate::{Overlay, Vtep};

impl Overlay {
    /// The peers as they are here that are gone or changed in a newer overlay, and as they are
    /// there that have come or changed; both sorted by name.
    ///
    /// All keys of one overlay's objects differ (names, addresses, MAC addresses, pod CIDRs), so
    /// no object of these peers has anything to do with one of the others.
    #[must_use]
    pub fn changed<'a>(&'a self, newer: &'a Self) -> (Vec<&'a Vtep>, Vec<&'a Vtep>) {
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        let (mut old, mut new) = (self.peers.iter().peekable(), newer.peers.iter().peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (Some(old), Some(new)) => old.node.cmp(&new.node),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return (gone, come),
            };
            let (was, is) = (
                old.next_if(|_| order.is_le()),
                new.next_if(|_| order.is_ge()),
            );
            if was != is {
                gone.extend(was);
                come.extend(is);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::{Cluster, Family, Node, Settings, Vtep};

    /// A cluster of node `own` and these peers, each with one of a few MAC addresses' ends.
    fn cluster(peers: &[(u8, u8)]) -> Cluster {
        let node = |name: String, number: u8, mac: u8| -> Node {
            let json = serde_json::json!({
                "name": name, "underlay": format!("192.0.2.{number}"),
                "mac": format!("02:00:00:00:{mac:02x}:{number:02x}"),
                "podCIDRs": [format!("10.200.{number}.0/24")],
            });
            serde_json::from_value(json).unwrap()
        };
        let peers = peers
            .iter()
            .map(|(number, mac)| node(format!("n{number}"), *number, *mac));
        let nodes = [node("own".to_owned(), 250, 0)]
            .into_iter()
            .chain(peers)
            .collect();
        let settings: Settings = serde_json::from_str(r#"{"network": "10.200.0.0/16"}"#).unwrap();
        Cluster::new("own", nodes, &settings).unwrap().0
    }

    proptest! {
        #[test]
        fn what_is_not_told_is_the_same(
            old in prop::collection::btree_map(1..20_u8, 0..3_u8, 0..20),
            new in prop::collection::btree_map(1..20_u8, 0..3_u8, 0..20),
        ) {
            let clusters = [&old, &new].map(|peers| {
                cluster(&peers.clone().into_iter().collect::<Vec<_>>())
            });
            let [before, after] = clusters.each_ref().map(|it| it.overlay(Family::V4).unwrap());
            let (gone, come) = before.changed(after);
            let unlike = |of: &[Vtep], than: &[Vtep]| -> Vec<Vtep> {
                of.iter().filter(|it| !than.contains(it)).cloned().collect()
            };
            prop_assert_eq!(gone.into_iter().cloned().collect::<Vec<_>>(), unlike(before.peers(), after.peers()));
            prop_assert_eq!(come.into_iter().cloned().collect::<Vec<_>>(), unlike(after.peers(), before.peers()));
        }
    }
}
