// SPDX-License-Identifier: Apache-2.0
//! What is to be done, and when. No clock of its own: the loop says what time it is. Not more than
//! half of the time goes into things of one kind: what took long is rested from as long.

use std::fmt;
use std::time::{Duration, Instant};

/// The least time between two looks, or between two glances: what others do to the kernel comes in
/// bursts.
const PAUSE: Duration = Duration::from_millis(200);
/// The least time between two readings: a node that joins is waited for by its pods.
const READING_PAUSE: Duration = Duration::from_millis(20);
/// The first retry after an error, and the last one's distance.
const RETRIES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// How much a look takes in; the later one takes in the earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// The ruleset.
    Guard,
    /// Devices, peers and the ruleset.
    Everything,
}

/// Why a look is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The list of nodes changed.
    List,
    /// The kernel told of changes to the overlay.
    Notification,
    /// Links or addresses of the host, to which the overlay has to adapt, changed.
    Host,
    /// It is time for one.
    Audit,
    /// The last one met errors.
    Retry,
}

impl Cause {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [
        Self::List,
        Self::Notification,
        Self::Host,
        Self::Audit,
        Self::Retry,
    ];
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "list",
            Self::Notification => "notification",
            Self::Host => "host",
            Self::Audit => "audit",
            Self::Retry => "retry",
        })
    }
}

/// A look that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) scope: Scope,
    pub(crate) cause: Cause,
}

/// Something that is done as soon as it is due, and then not again for a while.
#[derive(Debug)]
struct Step {
    due: Option<Instant>,
    rests_until: Instant,
}

/// The loop's next steps.
#[derive(Debug)]
pub(crate) struct Agenda {
    reading: Step,
    glance: Step,
    look: Option<(Instant, Look)>,
    looks_rest_until: Instant,
    audit: Instant,
    audit_interval: Duration,
    retry_after: Duration,
}

impl Agenda {
    /// The list is to be read at once; there is nothing to look for before that.
    pub(crate) fn new(now: Instant, audit_interval: Duration) -> Self {
        Self {
            reading: Step {
                due: Some(now),
                rests_until: now,
            },
            glance: Step {
                due: None,
                rests_until: now,
            },
            look: None,
            looks_rest_until: now,
            audit: now + audit_interval,
            audit_interval,
            retry_after: RETRIES.0,
        }
    }

    /// When there is something to do next.
    pub(crate) fn next(&self) -> Instant {
        let look = self.look.map(|(when, _)| when);
        let others = [self.reading.due, self.glance.due, look];
        others.into_iter().flatten().fold(self.audit, Instant::min)
    }

    /// The list is to be read, as soon as the last reading allows.
    pub(crate) fn read_soon(&mut self, now: Instant) {
        self.reading.soon(now);
    }

    /// The list is to be read at this time, if not earlier.
    pub(crate) fn read_at(&mut self, when: Instant) {
        self.reading.at(when);
    }

    /// Whether the list is to be read now. It counts as done.
    pub(crate) fn take_reading(&mut self, now: Instant) -> bool {
        self.reading.take(now)
    }

    /// The list was read from `begun` to `now`.
    pub(crate) fn has_read(&mut self, begun: Instant, now: Instant) {
        self.reading.done(begun, now, READING_PAUSE);
    }

    /// It is to be seen whether the host is another one, as soon as the last glance allows.
    pub(crate) fn glance_soon(&mut self, now: Instant) {
        self.glance.soon(now);
    }

    /// Whether that is to be seen now. It counts as done.
    pub(crate) fn take_glance(&mut self, now: Instant) -> bool {
        self.glance.take(now)
    }

    /// Whether that is to be seen now or later. It counts as done.
    pub(crate) fn take_any_glance(&mut self) -> bool {
        self.glance.due.take().is_some()
    }

    /// It was seen from `begun` to `now`.
    pub(crate) fn has_glanced(&mut self, begun: Instant, now: Instant) {
        self.glance.done(begun, now, PAUSE);
    }

    /// A look is to be taken, as soon as the last one allows.
    pub(crate) fn look_soon(&mut self, now: Instant, look: Look) {
        self.look_at(now.max(self.looks_rest_until), look);
    }

    fn look_at(&mut self, when: Instant, look: Look) {
        self.look = Some(match self.look {
            None => (when, look),
            Some((earlier, other)) => {
                let more = if other.scope < look.scope {
                    look
                } else {
                    other
                };
                (earlier.min(when), more)
            }
        });
    }

    /// The look that is to be taken now. It counts as done.
    pub(crate) fn take_look(&mut self, now: Instant) -> Option<Look> {
        let due = self.look.take_if(|(when, _)| *when <= now);
        if now < self.audit {
            return due.map(|(_, look)| look);
        }
        self.look = None;
        self.audit = now + self.audit_interval;
        let audit = Look {
            scope: Scope::Everything,
            cause: Cause::Audit,
        };
        let other = due.map(|(_, look)| look);
        Some(
            other
                .filter(|look| look.scope == audit.scope)
                .unwrap_or(audit),
        )
    }

    /// The look that is to be taken now or later, other than an audit. It counts as done.
    pub(crate) fn take_any_look(&mut self) -> Option<Look> {
        self.look.take().map(|(_, look)| look)
    }

    /// A look was taken from `begun` to `now`; after one with errors the next one comes by itself.
    pub(crate) fn has_looked(&mut self, begun: Instant, now: Instant, scope: Scope, errors: bool) {
        self.looks_rest_until = now + PAUSE.max(now - begun);
        if scope == Scope::Everything {
            self.audit = now + self.audit_interval;
        }
        if !errors {
            if scope == Scope::Everything {
                self.retry_after = RETRIES.0;
            }
            return;
        }
        let retry = Look {
            scope: Scope::Everything,
            cause: Cause::Retry,
        };
        self.look_at(self.looks_rest_until.max(now + self.retry_after), retry);
        self.retry_after = (self.retry_after * 2).min(RETRIES.1);
    }
}

impl Step {
    fn soon(&mut self, now: Instant) {
        self.at(now.max(self.rests_until));
    }

    fn at(&mut self, when: Instant) {
        self.due = Some(self.due.map_or(when, |due| due.min(when)));
    }

    fn take(&mut self, now: Instant) -> bool {
        self.due.take_if(|due| *due <= now).is_some()
    }

    fn done(&mut self, begun: Instant, now: Instant, pause: Duration) {
        self.rests_until = now + pause.max(now - begun);
    }
}

#[cfg(test)]
mod tests;
