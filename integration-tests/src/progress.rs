// SPDX-License-Identifier: Apache-2.0
//! A count that one thread advances and another one waits for.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often something has happened, and when it last did.
#[derive(Clone, Debug)]
pub(crate) struct Progress(Arc<(Mutex<Steps>, Condvar)>);

#[derive(Debug)]
struct Steps {
    count: u64,
    last: Instant,
    longest: Duration,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let steps = Steps {
            count: 0,
            last: Instant::now(),
            longest: Duration::ZERO,
        };
        Self(Arc::new((Mutex::new(steps), Condvar::new())))
    }

    /// It has happened once more.
    pub(crate) fn step(&self) {
        let mut steps = self.steps();
        steps.longest = steps.longest.max(steps.last.elapsed());
        steps.last = Instant::now();
        steps.count += 1;
        self.0.1.notify_all();
    }

    pub(crate) fn count(&self) -> u64 {
        self.steps().count
    }

    /// The longest time between two steps, the one since the last step included.
    pub(crate) fn longest_pause(&self) -> Duration {
        let steps = self.steps();
        steps.longest.max(steps.last.elapsed())
    }

    /// Waits until the count is `goal`, and says whether it is.
    pub(crate) fn wait_until(&self, goal: u64, limit: Duration) -> bool {
        let short = |steps: &mut Steps| steps.count < goal;
        let waited = self.0.1.wait_timeout_while(self.steps(), limit, short);
        waited.unwrap_or_else(PoisonError::into_inner).0.count >= goal
    }

    /// Waits until it happens `more` times from now on, and says whether it did.
    pub(crate) fn wait_for(&self, more: u64, limit: Duration) -> bool {
        self.wait_until(self.count() + more, limit)
    }

    fn steps(&self) -> MutexGuard<'_, Steps> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
