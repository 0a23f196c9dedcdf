// SPDX-License-Identifier: Apache-2.0
//! What cannot be done now: each trouble is said once, and once that it is over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use tracing::{info, warn};

/// What can be in trouble, in the order in which it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wish {
    /// To follow all Nodes.
    Nodes,
    /// To follow the own Node.
    Own,
    /// To read other nodes' pod CIDRs.
    PodCidrs,
    /// To write what the own Node says.
    Announce,
    /// To remove start-up taints of the own Node.
    Taints,
    /// To remember what is known.
    Remember,
}

/// How many different sentences about one wish are said before it is fulfilled.
const MOST: usize = 8;

/// The wishes that are not fulfilled.
#[derive(Debug, Default)]
pub(crate) struct Troubles(Mutex<BTreeMap<Wish, Trouble>>);

#[derive(Debug, Default)]
struct Trouble {
    now: String,
    said: BTreeSet<String>,
}

impl Troubles {
    /// Notes why a wish is not fulfilled; returns whether this was another reason before.
    pub(crate) fn begin(&self, wish: Wish, sentence: &str) -> bool {
        let mut troubles = self.troubles();
        let trouble = troubles.entry(wish).or_default();
        let differs = trouble.now != sentence;
        sentence.clone_into(&mut trouble.now);
        if trouble.said.len() < MOST && trouble.said.insert(trouble.now.clone()) {
            warn!("{sentence}");
        }
        differs
    }

    /// Notes that a wish is fulfilled; returns whether it was not before.
    pub(crate) fn end(&self, wish: Wish) -> bool {
        let ended = self.troubles().remove(&wish);
        if let Some(Trouble { now, .. }) = &ended {
            info!("no longer: {now}");
        }
        ended.is_some()
    }

    /// Why the API server cannot be used.
    pub(crate) fn of_server(&self) -> Option<String> {
        let troubles = self.troubles();
        let mut of_server = troubles.iter().filter(|(wish, _)| **wish != Wish::Remember);
        of_server.next().map(|(_, trouble)| trouble.now.clone())
    }

    fn troubles(&self) -> MutexGuard<'_, BTreeMap<Wish, Trouble>> {
        self.0
            .lock()
            .expect("nothing panics while it notes a trouble")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_important_trouble_is_the_one_that_is_told() {
        let troubles = Troubles::default();
        assert!(troubles.begin(Wish::Remember, "disk full"));
        assert_eq!(troubles.of_server(), None);
        assert!(troubles.begin(Wish::Own, "own"));
        assert!(troubles.begin(Wish::Nodes, "nodes"));
        assert!(!troubles.begin(Wish::Nodes, "nodes"));
        assert_eq!(troubles.of_server().as_deref(), Some("nodes"));
        assert!(troubles.begin(Wish::Nodes, "nodes, otherwise"));
        assert_eq!(troubles.of_server().as_deref(), Some("nodes, otherwise"));
        assert!(troubles.end(Wish::Nodes) && !troubles.end(Wish::Nodes));
        assert_eq!(troubles.of_server().as_deref(), Some("own"));
    }
}
