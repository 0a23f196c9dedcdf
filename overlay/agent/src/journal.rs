// SPDX-License-Identifier: Apache-2.0
//! What is said in the log, and that it is said once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

/// Of many troubles of one kind, so many are named.
const NAMED: usize = 10;
/// Repairs that follow each other faster than this are one quarrel with another program...
const QUARREL: Duration = Duration::from_secs(15);
/// ... from this many of them on.
const REPAIRS: u32 = 10;

/// Troubles of one kind, as they were last seen.
#[derive(Debug)]
pub(crate) struct Troubles {
    with: &'static str,
    grave: bool,
    present: BTreeSet<String>,
}

impl Troubles {
    /// Troubles that keep the overlay from being what it should.
    pub(crate) fn grave(with: &'static str) -> Self {
        Self {
            with,
            grave: true,
            present: BTreeSet::new(),
        }
    }

    /// Troubles that others have to see to.
    pub(crate) fn slight(with: &'static str) -> Self {
        Self {
            grave: false,
            ..Self::grave(with)
        }
    }

    /// Takes in those that there are now. Each is logged when it is new, and their end.
    pub(crate) fn are(&mut self, now: impl IntoIterator<Item = String>) {
        let now: BTreeSet<_> = now.into_iter().collect();
        let new: Vec<_> = now.difference(&self.present).collect();
        for trouble in new.iter().take(NAMED) {
            self.say(trouble);
        }
        if new.len() > NAMED {
            self.say(&format!("and {} more of {}", new.len() - NAMED, self.with));
        }
        if now.is_empty() && !self.present.is_empty() {
            info!("no more trouble with {}", self.with);
        }
        self.present = now;
    }

    /// All of them in a sentence.
    pub(crate) fn sentence(&self) -> Option<String> {
        let named: Vec<_> = self
            .present
            .iter()
            .take(NAMED)
            .map(String::as_str)
            .collect();
        let more = self.present.len() - named.len();
        match (named.is_empty(), more) {
            (true, _) => None,
            (false, 0) => Some(named.join("; ")),
            (false, more) => Some(format!("{}; and {more} more", named.join("; "))),
        }
    }

    fn say(&self, trouble: &str) {
        if self.grave {
            error!("{trouble}");
        } else {
            warn!("{trouble}");
        }
    }
}

/// The repairs of late. Another program that keeps undoing them is reported, but not each time.
#[derive(Debug, Default)]
pub(crate) struct Repairs {
    last: Option<Instant>,
    row: u32,
}

/// What is to be said of a repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Saying {
    /// What was repaired.
    Repair,
    /// That somebody undoes repairs.
    Quarrel,
    /// Nothing; it has been said.
    Nothing,
}

impl Repairs {
    /// Something was repaired.
    pub(crate) fn note(&mut self, now: Instant) -> Saying {
        let in_a_row = self.last.is_some_and(|last| now - last < QUARREL);
        self.row = if in_a_row { self.row + 1 } else { 1 };
        self.last = Some(now);
        match self.row {
            ..REPAIRS => Saying::Repair,
            REPAIRS => Saying::Quarrel,
            _ => Saying::Nothing,
        }
    }

    /// Nothing had to be repaired. Says how many repairs a quarrel took, when one is over.
    pub(crate) fn rest(&mut self, now: Instant) -> Option<u32> {
        self.last.take_if(|last| now - *last >= QUARREL)?;
        Some(self.row).filter(|row| *row >= REPAIRS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn troubles_are_told_in_one_sentence_however_many_there_are() {
        let mut troubles = Troubles::grave("peers");
        assert_eq!(troubles.sentence(), None);
        troubles.are(["b", "a"].map(str::to_owned));
        assert_eq!(troubles.sentence().unwrap(), "a; b");
        troubles.are((0..1000).map(|number| format!("{number:04}")));
        let sentence = troubles.sentence().unwrap();
        assert!(sentence.ends_with("0009; and 990 more"), "{sentence}");
        troubles.are([]);
        assert_eq!(troubles.sentence(), None);
    }

    #[test]
    fn a_quarrel_is_told_once_and_its_length_at_the_end() {
        let (mut repairs, begin) = (Repairs::default(), Instant::now());
        let mut now = begin;
        let mut sayings = Vec::new();
        for _ in 0..20 {
            sayings.push(repairs.note(now));
            now += QUARREL / 10;
            assert_eq!(repairs.rest(now), None);
        }
        assert_eq!(sayings[..9], [Saying::Repair; 9]);
        assert_eq!(sayings[9], Saying::Quarrel);
        assert_eq!(sayings[10..], [Saying::Nothing; 10]);
        now += QUARREL;
        assert_eq!(repairs.rest(now), Some(20));
        assert_eq!(repairs.rest(now), None);
        assert_eq!(repairs.note(now), Saying::Repair);
    }

    #[test]
    fn repairs_now_and_then_are_no_quarrel() {
        let (mut repairs, mut now) = (Repairs::default(), Instant::now());
        for _ in 0..20 {
            assert_eq!(repairs.note(now), Saying::Repair);
            now += QUARREL;
            assert_eq!(repairs.rest(now), None);
        }
    }
}
