// SPDX-License-Identifier: Apache-2.0
//! What is known of the Nodes. What the API server says comes in, in whatever order and however
//! often; what can be believed of it goes out. No I/O.

mod entry;
mod pods;
mod view;

use std::collections::BTreeMap;

use topology::Node;

use crate::annotations::{self, Prefix};
use crate::object::{Metadata, OwnObject};
use crate::snapshot::{Origin, OwnNode};

pub(crate) use entry::{Entry, Pods, Standing};
pub(crate) use pods::Answer;

/// The Nodes.
#[derive(Debug)]
pub(crate) struct Store {
    /// This node's name.
    own_name: String,
    prefix: Prefix,
    /// The other nodes.
    entries: BTreeMap<Box<str>, Entry>,
    /// Counts the lists of all Nodes: what the last one did not have is gone.
    round: u32,
    own: Own,
    /// Whether a list of all Nodes has begun and not ended yet.
    listing: bool,
    /// Whether all Nodes have been listed, and the own one been looked up.
    listed: bool,
    own_listed: bool,
    /// Whether, beyond that, the pod CIDRs of all members have been asked for.
    live: bool,
    /// Whether, beyond that, none of them is missing for a failure that may pass.
    whole: bool,
    memory: Memory,
}

/// The own Node.
#[derive(Debug, Default)]
struct Own {
    object: Option<OwnObject>,
    node: Option<OwnNode>,
    /// Whether the look-up that goes on has found it.
    found: bool,
}

/// What a cache knew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    /// Nothing.
    None,
    /// Something, which is not needed as long as the API server may still answer.
    Held,
    /// Something, which has to do until it answers.
    Believed,
}

/// What follows from news.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effect {
    /// A snapshot may be another one than before.
    pub(crate) changed: bool,
    /// There are pod CIDRs to be asked for.
    pub(crate) wanted: bool,
}

impl Store {
    pub(crate) const fn new(own_name: String, prefix: Prefix) -> Self {
        Self {
            own_name,
            prefix,
            entries: BTreeMap::new(),
            round: 0,
            own: Own {
                object: None,
                node: None,
                found: false,
            },
            listing: false,
            listed: false,
            own_listed: false,
            live: false,
            whole: false,
            memory: Memory::None,
        }
    }

    /// A list of all Nodes begins.
    pub(crate) const fn begin(&mut self) {
        self.round = self.round.wrapping_add(1);
        self.listing = true;
    }

    /// A Node is there, and says this.
    pub(crate) fn seen(&mut self, metadata: &Metadata) -> Effect {
        if metadata.name == self.own_name {
            return Effect::default();
        }
        let said = annotations::read(&metadata.annotations, &self.prefix);
        let known = self.entries.get_mut(metadata.name.as_str());
        let known = known.filter(|entry| entry.uid == metadata.uid);
        let (changed, wanted) = if let Some(entry) = known {
            entry.round = self.round;
            let changed = entry.stand(said, &self.prefix);
            entry.pods.touched();
            (changed, entry.wants_pods())
        } else {
            let standing = Standing::first(said);
            let entry = Entry::new(metadata.uid.clone(), metadata.since, self.round, standing);
            let (visible, wanted) = (entry.is_visible(), entry.wants_pods());
            let name = metadata.name.as_str().into();
            let replaced = self.entries.insert(name, entry);
            (
                visible || replaced.is_some_and(|it| it.is_visible()),
                wanted,
            )
        };
        self.effect(changed, wanted)
    }

    /// A Node has been deleted.
    pub(crate) fn gone(&mut self, metadata: &Metadata) -> Effect {
        let gone = self.entries.remove(metadata.name.as_str());
        self.effect(gone.is_some_and(|entry| entry.is_visible()), false)
    }

    /// The list has ended: what it did not have is gone.
    pub(crate) fn complete(&mut self) -> Effect {
        let round = self.round;
        let mut changed = false;
        self.entries.retain(|_, entry| {
            let stays = entry.round == round;
            changed |= !stays && entry.is_visible();
            stays
        });
        self.listing = false;
        self.listed = true;
        let wanted = self.entries.values().any(Entry::wants_pods);
        self.effect(changed, wanted)
    }

    /// A look-up of the own Node begins.
    pub(crate) const fn begin_own(&mut self) {
        self.own.found = false;
    }

    /// The own Node is there, and says this.
    pub(crate) fn seen_own(&mut self, object: OwnObject) -> Effect {
        self.own.found = true;
        let changed = self.take_own(object);
        self.effect(changed, false)
    }

    fn take_own(&mut self, object: OwnObject) -> bool {
        let node = OwnNode::read(&object, &self.prefix);
        self.own.object = Some(object);
        let before = self.own.node.replace(node);
        before != self.own.node
    }

    /// There is no own Node any more.
    pub(crate) fn gone_own(&mut self) -> Effect {
        self.own.object = None;
        let changed = self.own.node.take().is_some();
        self.effect(changed, false)
    }

    /// The look-up of the own Node has ended; returns whether it was found, too.
    pub(crate) fn complete_own(&mut self) -> (Effect, bool) {
        self.own_listed = true;
        let effect = if self.own.found {
            self.effect(false, false)
        } else {
            self.gone_own()
        };
        (effect, self.own.found)
    }

    /// The API server has been waited for long enough: what a cache knew has to do.
    pub(crate) fn believe_memory(&mut self) -> Effect {
        let changed = self.memory == Memory::Held;
        if changed {
            self.memory = Memory::Believed;
        }
        self.effect(changed, false)
    }

    /// Takes what a cache knew, before anything else is known.
    pub(crate) fn remember(
        &mut self,
        nodes: impl IntoIterator<Item = (Box<str>, Node)>,
        own: Option<OwnObject>,
    ) {
        for (uid, node) in nodes {
            let (name, entry) = Entry::remembered(uid, node);
            self.entries.insert(name, entry);
        }
        own.into_iter().for_each(|own| _ = self.take_own(own));
        if !self.entries.is_empty() || self.own.node.is_some() {
            self.memory = Memory::Held;
        }
    }

    /// What follows from a change of the entries. It is nobody's business before they are shown.
    fn effect(&mut self, changed: bool, wanted: bool) -> Effect {
        let advanced = self.comes_alive() | self.becomes_whole();
        Effect {
            changed: advanced || changed && self.origin() != Origin::Nothing,
            wanted,
        }
    }

    /// The first time that everything has been asked for.
    fn comes_alive(&mut self) -> bool {
        let comes = !self.live
            && self.listed
            && self.own_listed
            && !self.entries.values().any(Entry::is_unasked);
        self.live |= comes;
        comes
    }

    /// The first time that nothing is missing for a passing failure: from then on what is missing
    /// may be removed.
    fn becomes_whole(&mut self) -> bool {
        let becomes = self.live && !self.whole && !self.entries.values().any(Entry::is_doubtful);
        self.whole |= becomes;
        becomes
    }
}

#[cfg(test)]
mod tests;
