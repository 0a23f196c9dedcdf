// SPDX-License-Identifier: Apache-2.0
//! What the loop lets others see of itself while it works.

mod figures;
mod requests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use topology::Complaint;

use crate::agenda::Cause;
use crate::overlay::NodeOverlay;
use crate::standing::{Outcome, Standing};
use figures::Figures;
pub(crate) use figures::Reading;
pub(crate) use requests::Requests;

/// The loop may be later than an audit by so much, when a look takes long.
const MARGIN: Duration = Duration::from_secs(30);

/// What is seen of the loop; a clone sees the same.
#[derive(Clone, Debug)]
pub(crate) struct Observed(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The loop turns at least this often.
    at_least_every: Duration,
    figures: Figures,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    /// When the loop turned last.
    turned: Instant,
    /// Whether a whole list has been programmed.
    ready: bool,
    /// Why it has not.
    trouble: Option<String>,
    /// The names of the overlay's devices.
    devices: Vec<String>,
}

impl Observed {
    /// Of a loop that begins `now` and looks at everything at least this often.
    pub(crate) fn new(now: Instant, audit_interval: Duration) -> Self {
        let seen = Seen {
            turned: now,
            ready: false,
            trouble: None,
            devices: Vec::new(),
        };
        Self(Arc::new(Inner {
            at_least_every: audit_interval + MARGIN,
            figures: Figures::new(),
            seen: Mutex::new(seen),
        }))
    }

    pub(crate) fn figures(&self) -> &Figures {
        &self.0.figures
    }

    /// The loop turns.
    pub(crate) fn turns(&self, now: Instant) {
        self.seen().turned = now;
        self.0.figures.turns();
    }

    /// The list was read, and is not followed yet.
    pub(crate) fn has_read(&self, reading: Reading) {
        self.0.figures.has_read(reading);
    }

    /// The list was read, and is followed but for these entries.
    pub(crate) fn believes(&self, complaints: &[Complaint]) {
        self.0.figures.has_read(Reading::Believed);
        self.0.figures.complains(complaints);
    }

    /// The kernel was looked at, and made right.
    pub(crate) fn looked(&self, cause: Cause, took: Duration, outcome: &Outcome) {
        self.0.figures.looked(cause, took, outcome);
    }

    /// It stands so; `trouble` is what is wrong.
    pub(crate) fn stands(
        &self,
        overlay: &NodeOverlay,
        standing: &Standing,
        trouble: Option<&String>,
    ) {
        self.0.figures.stands(overlay, standing);
        let mut seen = self.seen();
        seen.ready |= standing.converged();
        seen.trouble = trouble.cloned();
        seen.devices = overlay.wished_devices();
    }

    /// The names of the overlay's devices.
    pub(crate) fn devices(&self) -> Vec<String> {
        self.seen().devices.clone()
    }

    /// Says whether the loop turns, and when it last did.
    pub(crate) fn health(&self, now: Instant) -> Result<String, String> {
        let since = now.saturating_duration_since(self.seen().turned);
        let seconds = since.as_secs();
        if since > self.0.at_least_every {
            return Err(format!("the loop has not turned for {seconds} s"));
        }
        Ok(format!("the loop turned {seconds} s ago"))
    }

    /// Says whether a whole list has been programmed, or why not.
    pub(crate) fn readiness(&self) -> Result<String, String> {
        let seen = self.seen();
        if seen.ready {
            return Ok("the overlay was programmed".to_owned());
        }
        let why = match &seen.trouble {
            Some(trouble) => trouble,
            None => "no list of nodes has been programmed yet",
        };
        Err(why.to_owned())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(60);

    #[test]
    fn a_loop_that_hangs_is_seen() {
        let begin = Instant::now();
        let observed = Observed::new(begin, INTERVAL);
        let late = begin + INTERVAL + MARGIN;
        assert_eq!(observed.health(late).unwrap(), "the loop turned 90 s ago");
        let later = late + Duration::from_secs(5);
        let why = observed.health(later).unwrap_err();
        assert_eq!(why, "the loop has not turned for 95 s");
        observed.turns(later);
        assert_eq!(observed.health(later).unwrap(), "the loop turned 0 s ago");
    }

    #[test]
    fn before_anything_is_known_it_is_not_ready() {
        let observed = Observed::new(Instant::now(), INTERVAL);
        let why = observed.readiness().unwrap_err();
        assert!(why.contains("no list"), "{why}");
    }
}
