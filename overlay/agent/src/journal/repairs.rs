// SPDX-License-Identifier: Apache-2.0
//! Repairs that another program undoes again and again.

use std::time::{Duration, Instant};

use crate::standing::Operations;

/// Repairs of one kind that follow each other faster than this are a quarrel with another program
/// from [`REPAIRS`] of them on.
const QUARREL: Duration = Duration::from_secs(15);
const REPAIRS: u32 = 10;

/// The repairs of late. Another program that keeps undoing them is reported, but not each time.
#[derive(Debug, Default)]
pub(crate) struct Repairs {
    last: Option<(Instant, Operations)>,
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
    pub(crate) fn note(&mut self, now: Instant, operations: &Operations) -> Saying {
        let in_a_row = self
            .last
            .as_ref()
            .is_some_and(|(last, before)| now - *last < QUARREL && operations.are_like(before));
        self.row = if in_a_row { self.row + 1 } else { 1 };
        self.last = Some((now, operations.clone()));
        match self.row {
            ..REPAIRS => Saying::Repair,
            REPAIRS => Saying::Quarrel,
            _ => Saying::Nothing,
        }
    }

    /// Nothing had to be repaired. Says how many repairs a quarrel took, when one is over.
    pub(crate) fn rest(&mut self, now: Instant) -> Option<u32> {
        self.last.take_if(|(last, _)| now - *last >= QUARREL)?;
        Some(self.row).filter(|row| *row >= REPAIRS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(count: usize) -> Operations {
        Operations::of(&[("add route", count)])
    }

    #[test]
    fn repairs_of_different_things_are_no_quarrel() {
        let (mut repairs, now) = (Repairs::default(), Instant::now());
        for _ in 0..20 {
            assert_eq!(repairs.note(now, &routes(1)), Saying::Repair);
            let device = Operations::of(&[("create device", 1)]);
            assert_eq!(repairs.note(now, &device), Saying::Repair);
        }
    }

    #[test]
    fn a_quarrel_is_told_once_and_its_length_at_the_end() {
        let (mut repairs, begin) = (Repairs::default(), Instant::now());
        let mut now = begin;
        let mut sayings = Vec::new();
        for _ in 0..20 {
            sayings.push(repairs.note(now, &routes(3)));
            now += QUARREL / 10;
            assert_eq!(repairs.rest(now), None);
        }
        assert_eq!(sayings[..9], [Saying::Repair; 9]);
        assert_eq!(sayings[9], Saying::Quarrel);
        assert_eq!(sayings[10..], [Saying::Nothing; 10]);
        now += QUARREL;
        assert_eq!(repairs.rest(now), Some(20));
        assert_eq!(repairs.rest(now), None);
        assert_eq!(repairs.note(now, &routes(3)), Saying::Repair);
    }

    #[test]
    fn repairs_now_and_then_are_no_quarrel() {
        let (mut repairs, mut now) = (Repairs::default(), Instant::now());
        for _ in 0..20 {
            assert_eq!(repairs.note(now, &routes(3)), Saying::Repair);
            now += QUARREL;
            assert_eq!(repairs.rest(now), None);
        }
    }
}
