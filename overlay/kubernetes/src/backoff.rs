// SPDX-License-Identifier: Apache-2.0
//! How long to leave a server alone after it has failed.

use std::time::Duration;

use tokio::time::Instant;

/// The shortest pause and the longest.
const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(30);
/// The part of an outage so far that the next pause takes. Pauses grow exponentially by it, yet
/// the end of an outage is noticed within a part of its length.
const PART: u32 = 4;
/// What a server asks for is granted up to this.
const PATIENCE: Duration = Duration::from_secs(300);

/// Pauses that grow while failures follow each other.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    /// Since when everything fails.
    since: Option<Instant>,
}

impl Backoff {
    /// Notes a success.
    pub(crate) fn end(&mut self) {
        self.since = None;
    }

    /// Whether there was no success since a failure.
    pub(crate) const fn runs(&self) -> bool {
        self.since.is_some()
    }

    /// How long to pause after a failure, when the server wishes for `retry_after`. `fraction`, of
    /// 0 to 1, keeps many that failed at once from coming back at once.
    pub(crate) fn pause(
        &mut self,
        now: Instant,
        retry_after: Option<Duration>,
        fraction: f64,
    ) -> Duration {
        let since = *self.since.get_or_insert(now);
        let longest = ((now - since) / PART).clamp(SHORTEST, LONGEST);
        let pause = longest.mul_f64(0.5 + fraction / 2.0);
        match retry_after {
            Some(wished) => wished.min(PATIENCE) + SHORTEST.mul_f64(fraction),
            None => pause,
        }
    }
}

/// A random number of 0 to 1.
pub(crate) fn fraction() -> f64 {
    // Without randomness only the spreading is lost.
    getrandom::u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_the_outage_and_begin_anew_after_it() {
        let start = Instant::now();
        let mut backoff = Backoff::default();
        let mut at = start;
        let mut pauses = Vec::new();
        for _ in 0..40 {
            let pause = backoff.pause(at, None, 1.0);
            pauses.push(pause);
            at += pause;
        }
        assert_eq!(pauses[0], SHORTEST);
        assert!(pauses.is_sorted());
        assert_eq!(pauses[39], LONGEST);
        // After an outage of five seconds the server's return is noticed within another two.
        assert!(backoff_after(Duration::from_secs(5)) < Duration::from_millis(1300));
        backoff.end();
        assert_eq!(backoff.pause(at, None, 1.0), SHORTEST);
        assert_eq!(backoff.pause(at, None, 0.0), SHORTEST / 2);
    }

    fn backoff_after(outage: Duration) -> Duration {
        let (mut backoff, start) = (Backoff::default(), Instant::now());
        backoff.pause(start, None, 1.0);
        backoff.pause(start + outage, None, 1.0)
    }

    #[test]
    fn a_servers_wish_is_granted_within_reason() {
        let mut backoff = Backoff::default();
        let mut pause = |seconds, fraction| {
            backoff.pause(Instant::now(), Some(Duration::from_secs(seconds)), fraction)
        };
        assert_eq!(pause(7, 0.0), Duration::from_secs(7));
        assert_eq!(pause(7, 1.0), Duration::from_millis(7200));
        assert_eq!(pause(1 << 40, 0.0), PATIENCE);
    }

    #[test]
    fn fractions_differ() {
        let fractions: Vec<_> = (0..8).map(|_| fraction()).collect();
        assert!(fractions.iter().all(|it| (0.0..=1.0).contains(it)));
        assert!(fractions.iter().any(|it| *it != fractions[0]));
    }
}
