// SPDX-License-Identifier: Apache-2.0
//! Whether to believe what the source says.
//!
//! A writer may be in the middle of a file, and a program that makes the list may have lost its
//! own source: what looks like that is believed when it is the same after a while.

use std::time::{Duration, Instant};

/// A file that cannot be read as a list may be half written for as long as this.
const HALF_WRITTEN: Duration = Duration::from_millis(300);

/// What makes an answer of the source doubtful.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// It is no list, or none by which this node has an overlay.
    Unusable,
    /// It has no peer, where there were some.
    NoPeers,
}

/// What follows for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is what the source means to say.
    Believe,
    /// It is to be asked for again, at this time.
    AskAgain(Instant),
}

/// What is doubted, and since when.
#[derive(Debug)]
pub(crate) struct Belief {
    confirm_after: Duration,
    doubted: Option<(Doubt, Instant)>,
}

impl Belief {
    /// A list without peers is believed when it is still so after `confirm_after`.
    pub(crate) fn new(confirm_after: Duration) -> Self {
        Self {
            confirm_after,
            doubted: None,
        }
    }

    /// Weighs an answer that came `now`.
    pub(crate) fn weigh(&mut self, now: Instant, doubt: Option<Doubt>) -> Verdict {
        let Some(doubt) = doubt else {
            self.doubted = None;
            return Verdict::Believe;
        };
        let since = match self.doubted {
            Some((before, since)) if before == doubt => since,
            _ => now,
        };
        self.doubted = Some((doubt, since));
        let until = since + self.patience(doubt);
        if now < until {
            Verdict::AskAgain(until)
        } else {
            Verdict::Believe
        }
    }

    fn patience(&self, doubt: Doubt) -> Duration {
        match doubt {
            Doubt::Unusable => HALF_WRITTEN,
            Doubt::NoPeers => self.confirm_after,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{AskAgain, Believe};

    const CONFIRM: Duration = Duration::from_secs(3);

    fn belief() -> (Belief, Instant) {
        (Belief::new(CONFIRM), Instant::now())
    }

    #[test]
    fn a_good_list_is_believed_at_once() {
        let (mut belief, now) = belief();
        assert_eq!(belief.weigh(now, None), Believe);
    }

    #[test]
    fn a_list_without_peers_is_believed_when_it_stays_so() {
        let (mut belief, now) = belief();
        let empty = Some(Doubt::NoPeers);
        assert_eq!(belief.weigh(now, empty), AskAgain(now + CONFIRM));
        let soon = now + CONFIRM / 2;
        assert_eq!(belief.weigh(soon, empty), AskAgain(now + CONFIRM));
        assert_eq!(belief.weigh(now + CONFIRM, empty), Believe);
    }

    #[test]
    fn peers_that_come_back_end_the_doubt() {
        let (mut belief, now) = belief();
        let empty = Some(Doubt::NoPeers);
        belief.weigh(now, empty);
        assert_eq!(belief.weigh(now + CONFIRM / 2, None), Believe);
        let later = now + CONFIRM;
        assert_eq!(belief.weigh(later, empty), AskAgain(later + CONFIRM));
    }

    #[test]
    fn half_a_file_confirms_nothing_else() {
        let (mut belief, now) = belief();
        belief.weigh(now, Some(Doubt::NoPeers));
        let later = now + CONFIRM;
        let unusable = Some(Doubt::Unusable);
        assert_eq!(
            belief.weigh(later, unusable),
            AskAgain(later + HALF_WRITTEN)
        );
        assert_eq!(belief.weigh(later + HALF_WRITTEN, unusable), Believe);
        let last = later + CONFIRM;
        assert_eq!(belief.weigh(last, unusable), Believe);
        assert_eq!(
            belief.weigh(last, Some(Doubt::NoPeers)),
            AskAgain(last + CONFIRM)
        );
    }
}
