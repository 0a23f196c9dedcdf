// SPDX-License-Identifier: Apache-2.0
//! Rollback: what an operation has made is noted beside the making, and taken
//! away again in reverse order unless the operation reaches its end.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Steps that are run, the last one first, when this is dropped without having
/// been disarmed: on an early return and on a panic alike.
///
/// A step that panics does not keep the other steps from running.
#[derive(Default)]
#[must_use = "dropped at once, it would undo at once"]
pub struct Undo<'a> {
    steps: Vec<Box<dyn FnOnce() + 'a>>,
}

impl<'a> Undo<'a> {
    /// Nothing to undo yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the step that takes away what was just made.
    pub fn push(&mut self, what: impl FnOnce() + 'a) {
        self.steps.push(Box::new(what));
    }

    /// Keeps everything: the operation succeeded.
    pub fn disarm(mut self) {
        self.steps.clear();
    }
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        while let Some(step) = self.steps.pop() {
            // A second panic during unwinding would abort the process and
            // leave the remaining steps undone.
            let _ = catch_unwind(AssertUnwindSafe(step));
        }
    }
}

impl fmt::Debug for Undo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Undo")
            .field("steps", &self.steps.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn runs_in_reverse_order_when_dropped() {
        let done = RefCell::new(Vec::new());
        let mut undo = Undo::new();
        for step in 1..=3 {
            let done = &done;
            undo.push(move || done.borrow_mut().push(step));
        }
        drop(undo);
        assert_eq!(*done.borrow(), [3, 2, 1]);
    }

    #[test]
    fn runs_nothing_when_disarmed() {
        let mut undo = Undo::new();
        undo.push(|| panic!("must not run"));
        undo.disarm();
    }

    #[test]
    fn runs_during_a_panic_and_past_one() {
        let done = RefCell::new(Vec::new());
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut undo = Undo::new();
            undo.push(|| done.borrow_mut().push("first"));
            undo.push(|| panic!("a step fails"));
            undo.push(|| done.borrow_mut().push("third"));
            panic!("the operation fails");
        }));
        assert!(outcome.is_err());
        assert_eq!(*done.borrow(), ["third", "first"]);
    }
}
