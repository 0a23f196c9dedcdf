// SPDX-License-Identifier: Apache-2.0
//! What the parts of the task have in common.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

use crate::annotations::Prefix;
use crate::announce::Announcement;
use crate::backoff::{Backoff, fraction};
use crate::client::Api;
use crate::failure::{Cause, Failure};
use crate::object::Whole;
use crate::store::{Effect, Store};
use crate::tally::Tally;
use crate::troubles::{Troubles, Wish};

/// Changes that come within this time are told as one.
const BURST: Duration = Duration::from_millis(5);

/// What is known, what is wished, and the way to the API server.
#[derive(Debug)]
pub(crate) struct Shared {
    /// This node's name.
    pub(crate) node: String,
    pub(crate) prefix: Prefix,
    pub(crate) api: Arc<Api>,
    pub(crate) tally: Arc<Tally>,
    /// The own Node as it is now; none: it is not known, or not there.
    pub(crate) own: watch::Sender<Option<Arc<Whole>>>,
    /// What the own Node should say.
    pub(crate) announcement: watch::Sender<Option<Announcement>>,
    /// Told when there are pod CIDRs to be asked for.
    pub(crate) wanted: Notify,
    store: Mutex<Store>,
    pub(crate) troubles: Arc<Troubles>,
    changed: Notify,
    /// Counts what the other side of the handle is told of.
    told: watch::Sender<u64>,
}

impl Shared {
    pub(crate) fn new(node: String, prefix: Prefix, api: Api, tally: Arc<Tally>) -> Self {
        Self {
            store: Mutex::new(Store::new(node.clone(), prefix.clone())),
            node,
            prefix,
            api: Arc::new(api),
            tally,
            own: watch::Sender::new(None),
            announcement: watch::Sender::new(None),
            wanted: Notify::new(),
            troubles: Arc::default(),
            changed: Notify::new(),
            told: watch::Sender::new(0),
        }
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.store
            .lock()
            .expect("nothing panics while it holds the store")
    }

    /// Changes what is known, and tells whom it concerns.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Store) -> Effect) {
        let effect = change(&mut self.store());
        if effect.changed {
            self.changed.notify_one();
        }
        if effect.wanted {
            self.wanted.notify_one();
        }
    }

    /// Notes why a wish is not fulfilled, as a sentence.
    pub(crate) fn trouble(&self, wish: Wish, sentence: &str) {
        if self.troubles.begin(wish, sentence) {
            self.changed.notify_one();
        }
    }

    /// Notes that a wish is fulfilled.
    pub(crate) fn fulfilled(&self, wish: Wish) {
        if self.troubles.end(wish) {
            self.changed.notify_one();
        }
    }

    /// Why the API server cannot be used now.
    pub(crate) fn troubled(&self) -> Option<String> {
        self.troubles.of_server()
    }

    /// Hears of every change from now on.
    pub(crate) fn hear(&self) -> watch::Receiver<u64> {
        self.told.subscribe()
    }

    /// Passes changes on, those of a burst as one.
    pub(crate) async fn tell(&self) {
        loop {
            self.changed.notified().await;
            sleep(BURST).await;
            self.told.send_modify(|told| *told = told.wrapping_add(1));
        }
    }

    /// Pauses after a failure. When that was about the way to the server, or about who we are, the
    /// pause ends as soon as somebody else is answered.
    pub(crate) async fn pause(&self, backoff: &mut Backoff, failure: &Failure) {
        let pause = sleep(backoff.pause(Instant::now(), failure.retry_after, fraction()));
        let of_the_way = matches!(
            failure.cause,
            Cause::Configuration | Cause::Unreachable | Cause::Silence | Cause::Unauthorized
        );
        if !of_the_way {
            return pause.await;
        }
        tokio::select! {
            () = pause => {}
            () = self.api.answered() => {}
        }
    }
}
