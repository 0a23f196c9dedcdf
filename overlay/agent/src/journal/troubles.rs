// SPDX-License-Identifier: Apache-2.0
//! What is wrong at present, said once.

use std::collections::BTreeSet;

use tracing::{error, info, warn};

/// Of many troubles of one kind, so many are named.
const NAMED: usize = 10;

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
        let new = self.news(&now);
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

    fn news<'a>(&self, now: &'a BTreeSet<String>) -> Vec<&'a String> {
        now.iter()
            .filter(|trouble| !self.present.contains(*trouble))
            .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_is_no_news() {
        let mut troubles = Troubles::slight("entries");
        let now = BTreeSet::from(["a", "b"].map(str::to_owned));
        assert_eq!(troubles.news(&now), ["a", "b"]);
        troubles.are(["b".to_owned()]);
        assert_eq!(troubles.news(&now), ["a"]);
        troubles.are(now.clone());
        assert_eq!(troubles.news(&now), [""; 0]);
    }

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
}
