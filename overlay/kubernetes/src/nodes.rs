// SPDX-License-Identifier: Apache-2.0
//! The handle on the task that follows the API server.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tracing::warn;

use crate::announce::{self, Announcement};
use crate::backoff::fraction;
use crate::cache::{self, Cache};
use crate::client::{Api, is_known};
use crate::counters::Counters;
use crate::details;
use crate::options::{Error, Options};
use crate::shared::Shared;
use crate::snapshot::Snapshot;
use crate::tally::Tally;
use crate::watch::{AllNodes, OwnNodeObject, follow};

/// What a cache knew is believed when the API server has said nothing for this long.
const PATIENCE: Duration = Duration::from_secs(2);

/// A cluster's Nodes, followed until this is dropped.
#[derive(Debug)]
pub struct Nodes {
    shared: Arc<Shared>,
    cache: Option<Arc<Cache>>,
    told: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl Nodes {
    /// Begins to follow; the network is not waited for. It needs a tokio runtime, on which it
    /// takes one task.
    ///
    /// # Errors
    /// When the options say nothing that could be followed.
    pub fn start(options: Options) -> Result<Self, Error> {
        if options.node.is_empty() {
            return Err(Error::NoName);
        }
        if !is_known(options.kubeconfig.as_deref()) {
            return Err(Error::NoServer { node: options.node });
        }
        let tally = Arc::<Tally>::default();
        let api = Api::new(options.kubeconfig, Arc::clone(&tally));
        let shared = Shared::new(options.node, options.prefix, api, tally);
        let cache = options.cache.map(|path| Arc::new(Cache::new(path)));
        if let Some(cache) = &cache {
            cache.recall(&mut shared.store());
        }
        let (told, shared) = (shared.hear(), Arc::new(shared));
        let jitter = options.start_jitter.mul_f64(fraction());
        let task = run(Arc::clone(&shared), cache.clone(), jitter);
        Ok(Self {
            task: tokio::spawn(task),
            shared,
            cache,
            told,
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
        let trouble = self.shared.troubled();
        self.shared.store().snapshot(trouble)
    }

    /// Says what the own Node should say from now on; it is written when it says something else,
    /// and again whenever somebody has changed it.
    pub fn announce(&self, announcement: Announcement) {
        self.shared.announcement.send_if_modified(|before| {
            let differs = before.as_ref() != Some(&announcement);
            *before = Some(announcement);
            differs
        });
    }

    /// What is counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        counted(&self.shared)
    }

    /// Says what [`Self::counters`] says, also to who does not have this.
    pub fn counting(&self) -> impl Fn() -> Counters + Send + Sync + use<> {
        let shared = Arc::clone(&self.shared);
        move || counted(&shared)
    }
}

fn counted(shared: &Shared) -> Counters {
    let (nodes, unreadable) = shared.store().count();
    let (bytes_received, bytes_sent) = shared.api.wire().bytes();
    Counters {
        bytes_received,
        bytes_sent,
        nodes,
        unreadable,
        ..shared.tally.read()
    }
}

impl Drop for Nodes {
    /// Ends, and remembers what is known by then.
    fn drop(&mut self) {
        self.task.abort();
        if let Some(cache) = &self.cache
            && let Err(error) = cache.write(cache::content(&self.shared.store()))
        {
            warn!("cannot remember the nodes: {error}");
        }
    }
}

/// Everything at once, for ever.
async fn run(shared: Arc<Shared>, cache: Option<Arc<Cache>>, jitter: Duration) {
    let shared = &*shared;
    let remembering = async {
        if let Some(cache) = cache {
            cache::keep(shared, cache).await;
        }
    };
    let following = async {
        sleep(jitter).await;
        tokio::join!(
            follow(shared, AllNodes(shared)),
            follow(shared, OwnNodeObject(shared)),
            details::ask(shared),
            announce::keep(shared),
        );
    };
    let waiting = async {
        sleep(PATIENCE).await;
        shared.update(|store| store.believe_memory());
    };
    tokio::join!(shared.tell(), remembering, waiting, following);
}
