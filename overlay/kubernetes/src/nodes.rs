// SPDX-License-Identifier: Apache-2.0
//! The handle on the task that follows the API server.

use std::sync::Mutex;

use tokio::sync::watch;

use crate::announce::Announcement;
use crate::counters::Counters;
use crate::options::{Error, Options};
use crate::snapshot::Snapshot;

/// A cluster's Nodes, followed until this is dropped.
#[derive(Debug)]
pub struct Nodes {
    known: Mutex<Snapshot>,
    told: watch::Receiver<u64>,
    wish: watch::Sender<Option<Announcement>>,
}

impl Nodes {
    /// Begins to follow; the network is not waited for. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the options say nothing that could be followed.
    pub fn start(options: Options) -> Result<Self, Error> {
        if options.node.is_empty() {
            return Err(Error::NoName);
        }
        let told = watch::channel(0).1;
        Ok(Self {
            known: Mutex::default(),
            told,
            wish: watch::Sender::new(None),
        })
    }

    /// Waits until there may be something new in a snapshot. It may be given up at any time and
    /// asked again.
    pub async fn changed(&mut self) {
        if self.told.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// What is known now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let known = self
            .known
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        known.clone()
    }

    /// Says what the own Node should say from now on; it is written when it says something else,
    /// and again whenever somebody has changed it.
    pub fn announce(&self, announcement: Announcement) {
        self.wish.send_if_modified(|wish| {
            let differs = wish.as_ref() != Some(&announcement);
            *wish = Some(announcement);
            differs
        });
    }

    /// What is counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let known = self.snapshot();
        Counters {
            nodes: known.peers.len(),
            unreadable: known.unreadable.len(),
            ..Counters::default()
        }
    }
}
