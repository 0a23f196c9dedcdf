// SPDX-License-Identifier: Apache-2.0
//! A list of nodes, put in the order in which they are admitted.

use std::collections::BTreeMap;

use super::fatal;
use crate::{Family, Fatal, Fault, Node, NodeList, Unreadable, Vtep};

/// A list of nodes in order.
pub(super) struct Sorted {
    pub(super) own: Node,
    /// The other nodes, those that came first before others, and among equals by name.
    pub(super) peers: Vec<Node>,
    /// The other nodes that have no entry, or several that differ.
    faulty: BTreeMap<String, Fault>,
    /// The last good entries that the source remembers of them.
    remembered: BTreeMap<String, Node>,
}

impl Sorted {
    pub(super) fn new(own: &str, list: NodeList) -> Result<Self, Fatal> {
        let mut nodes = list.nodes;
        let listed = nodes.len();
        nodes.sort_unstable();
        nodes.dedup();
        let twice = nodes.windows(2).filter(|pair| pair[0].name == pair[1].name);
        let twice = twice.map(|pair| (pair[0].name.clone(), Fault::ListedTwice));
        let mut faulty: BTreeMap<_, _> = twice.collect();
        let mut remembered = BTreeMap::new();
        for Unreadable { node, fault, last } in list.unreadable {
            remembered.extend(last.map(|last| (node.clone(), last)));
            faulty.insert(node, fault);
        }
        if let Some(fault) = faulty.remove(own) {
            return Err(fatal(own, fault));
        }
        nodes.retain(|node| !faulty.contains_key(&node.name));
        let found = nodes.binary_search_by(|node| node.name.as_str().cmp(own));
        let index = found.map_err(|_| Fatal::OwnMissing {
            name: own.to_owned(),
            nodes: listed,
        })?;
        let own = nodes.remove(index);
        nodes.sort_by_key(|node| node.since);
        Ok(Self {
            own,
            peers: nodes,
            faulty,
            remembered,
        })
    }

    /// What the source remembers of a node that it cannot read.
    pub(super) fn remembered(&self, node: &str, family: Family) -> Option<Vtep> {
        Vtep::of(self.remembered.get(node)?, family).ok()?
    }

    /// The other nodes in order, with what their entries make of them in a family.
    pub(super) fn vteps(
        &self,
        family: Family,
    ) -> impl Iterator<Item = (&str, Result<Vtep, Fault>)> {
        let clear = self.peers.iter().filter_map(move |node| {
            let vtep = Vtep::of(node, family).transpose()?;
            Some((node.name.as_str(), vtep))
        });
        let faulty = self.faulty.iter();
        clear.chain(faulty.map(|(name, fault)| (name.as_str(), Err(fault.clone()))))
    }
}
