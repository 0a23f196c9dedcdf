// SPDX-License-Identifier: Apache-2.0
//! How to follow objects: what to ask next, by what came of the last request. No I/O.

use crate::failure::{Cause, Failure};

/// What to ask the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A watch that first tells everything that is there.
    Stream,
    /// Everything that is there, in pages.
    List,
    /// A watch of what came after a version.
    Resume(String),
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The list is complete, as of a version.
    Listed(String),
    /// The server has ended the watch in good order.
    Ended,
    Failed(Failure),
}

impl End {
    pub(crate) fn is_of(&self, cause: Cause) -> bool {
        matches!(self, Self::Failed(failure) if failure.cause == cause)
    }
}

/// How far a follower is.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// The version up to which everything is known; none: everything is to be asked for.
    version: Option<String>,
    /// Whether the server has refused to stream a list.
    pages_only: bool,
    /// Whether the last watch from this version brought garbage.
    garbled: bool,
}

impl Course {
    pub(crate) fn step(&self) -> Step {
        match &self.version {
            Some(version) => Step::Resume(version.clone()),
            None if self.pages_only => Step::List,
            None => Step::Stream,
        }
    }

    /// Everything up to this version is known.
    pub(crate) fn reached(&mut self, version: &str) {
        if version.is_empty() {
            return;
        }
        self.garbled = false;
        match &mut self.version {
            Some(known) => version.clone_into(known),
            None => self.version = Some(version.to_owned()),
        }
    }

    /// Takes how the last step ended. Returns the failure after which to pause, if it was one
    /// that asking in another way does not cure.
    pub(crate) fn end(&mut self, end: End) -> Option<Failure> {
        let step = self.step();
        let failure = match end {
            End::Listed(version) => {
                self.reached(&version);
                return None;
            }
            End::Ended => return None,
            End::Failed(failure) => failure,
        };
        match (step, failure.cause) {
            (Step::Stream, cause) if refuses_to_stream(cause) => {
                self.pages_only = true;
                None
            }
            // Then it was not the streaming.
            (Step::List, _) => {
                self.pages_only = false;
                Some(failure)
            }
            // What came since the version has been forgotten.
            (Step::Resume(_), Cause::Gone) => {
                self.version = None;
                None
            }
            // It may be the one line that cannot be read, at each attempt.
            (Step::Resume(_), Cause::Garbage) => {
                if std::mem::replace(&mut self.garbled, true) {
                    self.version = None;
                    self.garbled = false;
                }
                Some(failure)
            }
            _ => Some(failure),
        }
    }
}

/// Whether a server answers so that does not know the streaming of lists, or is told not to do
/// it. If it was something else the list in pages will tell.
const fn refuses_to_stream(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::Refused | Cause::Forbidden | Cause::Server | Cause::NotFound | Cause::Silence
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(course: &mut Course, cause: Cause) -> bool {
        course.end(End::Failed(Failure::new(cause, "it"))).is_some()
    }

    fn resume(version: &str) -> Step {
        Step::Resume(version.to_owned())
    }

    #[test]
    fn a_server_that_does_not_stream_is_asked_for_pages() {
        for cause in [Cause::Refused, Cause::Forbidden, Cause::Server] {
            let mut course = Course::default();
            assert_eq!(course.step(), Step::Stream);
            assert!(!failed(&mut course, cause));
            assert_eq!(course.step(), Step::List);
            assert!(failed(&mut course, cause), "the list fails as well");
            assert_eq!(course.step(), Step::Stream);
            assert!(!failed(&mut course, cause));
            assert!(course.end(End::Listed("5".to_owned())).is_none());
            assert_eq!(course.step(), resume("5"));
        }
    }

    #[test]
    fn a_server_that_cannot_be_reached_has_refused_nothing() {
        let mut course = Course::default();
        for cause in [
            Cause::Unreachable,
            Cause::Unauthorized,
            Cause::Throttled,
            Cause::Cut,
        ] {
            assert!(failed(&mut course, cause));
            assert_eq!(course.step(), Step::Stream);
        }
    }

    #[test]
    fn a_watch_goes_on_where_it_was_until_that_is_forgotten() {
        let mut course = Course::default();
        course.reached("7");
        course.reached("");
        assert!(course.end(End::Ended).is_none());
        for cause in [
            Cause::Cut,
            Cause::Server,
            Cause::Forbidden,
            Cause::Unauthorized,
        ] {
            assert!(failed(&mut course, cause));
            assert_eq!(course.step(), resume("7"));
        }
        course.reached("9");
        assert_eq!(course.step(), resume("9"));
        assert!(!failed(&mut course, Cause::Gone));
        assert_eq!(course.step(), Step::Stream);
        assert!(failed(&mut course, Cause::Gone), "a list cannot be too old");
    }

    #[test]
    fn garbage_twice_at_one_place_is_gone_around() {
        let mut course = Course::default();
        course.reached("7");
        assert!(failed(&mut course, Cause::Garbage));
        assert_eq!(course.step(), resume("7"));
        course.reached("8");
        assert!(failed(&mut course, Cause::Garbage));
        assert_eq!(course.step(), resume("8"));
        assert!(failed(&mut course, Cause::Garbage));
        assert_eq!(course.step(), Step::Stream);
    }
}
