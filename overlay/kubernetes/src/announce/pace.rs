// SPDX-License-Identifier: Apache-2.0
//! When something may be written again: at once after a rest, and once a second at most while
//! somebody else keeps writing the opposite.

use std::time::Duration;

use tokio::time::Instant;

/// So many writes may follow each other without a pause.
const BURST: u32 = 16;
const PERIOD: Duration = Duration::from_secs(1);
/// After so long without a write, a dispute is over.
const REST: Duration = Duration::from_secs(60);

/// The pace of one kind of write.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    /// When all writes so far have been paid for, at one a period.
    paid: Option<Instant>,
    /// When the last write that had to be repeated was.
    last: Option<Instant>,
    repeated: u32,
}

/// What is remarkable about a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remark {
    /// So often has the same been written, and still it does not stand.
    Dispute(u32),
    /// What was written so often stands now.
    Settled(u32),
}

impl Pace {
    /// Not before this may there be another write.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.paid?.checked_sub(PERIOD * (BURST - 1))
    }

    /// Something was written; `again`: the same as before, which somebody has changed since.
    pub(crate) fn wrote(&mut self, now: Instant, again: bool) -> Option<Remark> {
        let paid = self.paid.filter(|paid| *paid > now).unwrap_or(now);
        self.paid = Some(paid + PERIOD);
        if !again {
            return None;
        }
        self.repeated += 1;
        self.last = Some(now);
        (self.repeated == BURST).then_some(Remark::Dispute(self.repeated))
    }

    /// When to look whether a dispute is over.
    pub(crate) fn ends(&self) -> Option<Instant> {
        Some(self.last? + REST)
    }

    /// Nothing is to be written now.
    pub(crate) fn rests(&mut self, now: Instant) -> Option<Remark> {
        if self.ends().is_none_or(|ends| now < ends) {
            return None;
        }
        let repeated = std::mem::take(&mut self.repeated);
        self.last = None;
        (repeated >= BURST).then_some(Remark::Settled(repeated))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Writes as soon as it may, as often as it has to, for this long.
    fn writes(pace: &mut Pace, from: Instant, time: Duration) -> (u32, Vec<Remark>) {
        let (mut now, mut count, mut remarks) = (from, 0, Vec::new());
        while now < from + time {
            if pace.due().is_none_or(|due| due <= now) {
                remarks.extend(pace.wrote(now, true));
                count += 1;
            }
            now += MS;
        }
        (count, remarks)
    }

    #[test]
    fn a_dispute_costs_a_write_a_second() {
        let mut pace = Pace::default();
        let (count, remarks) = writes(&mut pace, Instant::now(), 100 * PERIOD);
        assert_eq!(count, 100 + BURST - 1);
        assert_eq!(remarks, [Remark::Dispute(BURST)]);
    }

    #[test]
    fn a_write_now_and_then_is_made_at_once() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        for second in 0..100 {
            let now = start + PERIOD * second;
            assert!(pace.due().is_none_or(|due| due <= now), "second {second}");
            pace.wrote(now, false);
        }
        assert_eq!(pace.ends(), None);
    }

    #[test]
    fn the_end_of_a_dispute_is_told_with_its_size() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let (count, _) = writes(&mut pace, start, 20 * PERIOD);
        let over = pace.ends().unwrap();
        assert_eq!(pace.rests(over - MS), None);
        assert_eq!(pace.rests(over), Some(Remark::Settled(count)));
        assert_eq!((pace.rests(over), pace.ends()), (None, None));

        pace.wrote(over, true);
        assert_eq!(
            pace.rests(over + REST),
            None,
            "one repetition is no dispute"
        );
    }
}
