// SPDX-License-Identifier: Apache-2.0
//! What a store shows.

use topology::{Node, Unreadable};

use super::{Memory, Store};
use crate::annotations::Prefix;
use crate::object::OwnObject;
use crate::snapshot::{Origin, Snapshot};

impl Store {
    /// Where a snapshot would come from.
    pub(crate) const fn origin(&self) -> Origin {
        match (self.live, self.memory) {
            (true, _) => Origin::Live,
            (false, Memory::Believed) => Origin::Cached,
            (false, _) => Origin::Nothing,
        }
    }

    /// What can be believed.
    pub(crate) fn snapshot(&self, trouble: Option<String>) -> Snapshot {
        let origin = self.origin();
        if origin == Origin::Nothing {
            return Snapshot {
                trouble,
                ..Snapshot::default()
            };
        }
        let entries = self.entries.iter();
        let unreadable = entries.filter_map(|(name, entry)| {
            Some(Unreadable {
                node: name.to_string(),
                fault: entry.fault()?.clone(),
                last: entry.last_node(name),
            })
        });
        Snapshot {
            origin,
            unreadable: unreadable.collect(),
            peers: self.peers().collect(),
            partial: !self.whole,
            own: self.own.node.clone(),
            trouble,
        }
    }

    /// The members whose entries are complete.
    fn peers(&self) -> impl Iterator<Item = Node> {
        let entries = self.entries.iter();
        entries.filter_map(|(name, entry)| entry.node(name))
    }

    /// The members whose entries are complete, or were, with their UIDs.
    pub(crate) fn memorable(&self) -> impl Iterator<Item = (&str, Node)> {
        let entries = self.entries.iter();
        entries.filter_map(|(name, entry)| Some((&*entry.uid, entry.last_node(name)?)))
    }

    /// The own Node, as it came.
    pub(crate) fn own_object(&self) -> Option<&OwnObject> {
        self.own.object.as_ref()
    }

    /// This node's name.
    pub(crate) fn own_name(&self) -> &str {
        &self.own_name
    }

    /// What the annotations' names begin with.
    pub(crate) const fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// How many Nodes are known, and how many of them cannot be understood.
    pub(crate) fn count(&self) -> (usize, usize) {
        let unreadable = self.entries.values().filter(|it| it.fault().is_some());
        let own = usize::from(self.own.node.is_some());
        (self.entries.len() + own, unreadable.count())
    }
}
