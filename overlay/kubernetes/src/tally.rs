// SPDX-License-Identifier: Apache-2.0
//! Where things are counted.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::SystemTime;

use crate::counters::Counters;
use crate::failure::Cause;

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// One object.
    Get,
    /// Many objects.
    List,
    /// Changes as they come.
    Watch,
    /// Another content of an object.
    Patch,
}

impl Verb {
    const fn label(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Patch => "patch",
        }
    }
}

/// Counts since the start.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Counters>);

impl Tally {
    /// An answer came, or (without a code) none.
    pub(crate) fn request(&self, verb: Verb, code: Option<u16>) {
        let outcome = match code {
            Some(200..300) => "2xx",
            Some(300..400) => "3xx",
            Some(400..500) => "4xx",
            Some(500..600) => "5xx",
            _ => "none",
        };
        increment(&mut self.counters().requests, (verb.label(), outcome));
    }

    pub(crate) fn failure(&self, cause: Cause) {
        increment(&mut self.counters().errors, cause.label());
    }

    pub(crate) fn watch_restarted(&self, cause: &'static str) {
        increment(&mut self.counters().watch_restarts, cause);
    }

    pub(crate) fn synced(&self) {
        self.counters().last_sync = Some(SystemTime::now());
    }

    pub(crate) fn patched(&self) {
        self.counters().patches += 1;
    }

    pub(crate) fn read(&self) -> Counters {
        self.counters().clone()
    }

    fn counters(&self) -> MutexGuard<'_, Counters> {
        self.0.lock().expect("nothing panics while it counts")
    }
}

fn increment<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K) {
    *counts.entry(key).or_default() += 1;
}
