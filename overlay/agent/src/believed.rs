// SPDX-License-Identifier: Apache-2.0
//! A list of nodes that can be believed, and why another one cannot.

use std::collections::HashSet;

use ipnetwork::IpNetwork;
use topology::{Cluster, Complaint, Fatal, Settings, Unidentified};

use crate::flannel::Refused;
use crate::source::SourceError;

/// What this node sees in a list.
#[derive(Clone, Debug)]
pub(crate) struct Believed {
    pub(crate) settings: Settings,
    pub(crate) cluster: Cluster,
    pub(crate) complaints: Vec<Complaint>,
    /// Whether there may be more peers than these.
    pub(crate) partial: bool,
}

impl Believed {
    /// Whether the kernel should hold the same by another list.
    pub(crate) fn says_the_same_as(&self, other: &Self) -> bool {
        (&self.cluster, &self.settings, self.partial)
            == (&other.cluster, &other.settings, other.partial)
    }

    /// This node's pod CIDRs, IPv4 first.
    pub(crate) fn own_pod_cidrs(&self) -> Vec<IpNetwork> {
        let overlays = self.cluster.overlays().iter();
        overlays
            .flat_map(|overlay| overlay.own().pod_cidrs.iter().copied())
            .collect()
    }
}

/// Why a list cannot be believed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Unidentified(#[from] Unidentified),
    #[error(transparent)]
    Fatal(#[from] Fatal),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Kernel(#[from] net::Error),
}

/// How many peers a newer list makes of an older one's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) came: usize,
    pub(crate) went: usize,
    pub(crate) changed: usize,
}

impl Changes {
    pub(crate) fn between(before: &Cluster, after: &Cluster) -> Self {
        let (old, new) = (before.peers(), after.peers());
        let both: HashSet<_> = old.intersection(&new).copied().collect();
        let mut changed = HashSet::new();
        for overlay in before.overlays() {
            if let Some(newer) = after.overlay(overlay.family()) {
                let (_, come) = overlay.changed(newer);
                changed.extend(come.into_iter().map(|peer| peer.node.as_str()));
            }
        }
        Self {
            came: new.len() - both.len(),
            went: old.len() - both.len(),
            changed: changed.intersection(&both).count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(nodes: &[(&str, u8)]) -> Cluster {
        let entry = |(name, number): &(&str, u8)| {
            serde_json::json!({
                "name": name, "underlay": format!("192.0.2.{number}"),
                "podCIDRs": [format!("10.200.{number}.0/24")],
            })
        };
        let nodes: serde_json::Value = nodes.iter().map(entry).collect();
        let nodes = topology::NodeList::parse(nodes.to_string().as_bytes())
            .unwrap()
            .nodes;
        let settings = serde_json::from_str(r#"{"network": "10.200.0.0/16"}"#).unwrap();
        Cluster::new("own", nodes, &settings).unwrap().0
    }

    #[test]
    fn peers_are_counted_by_what_became_of_them() {
        let before = cluster(&[("own", 1), ("a", 2), ("b", 3), ("c", 4), ("d", 5)]);
        let after = cluster(&[("own", 1), ("a", 2), ("b", 6), ("c", 7), ("e", 5)]);
        let changes = Changes::between(&before, &after);
        assert_eq!(
            changes,
            Changes {
                came: 1,
                went: 1,
                changed: 2
            }
        );
        assert_eq!(Changes::between(&after, &after), Changes::default());
    }
}
