// SPDX-License-Identifier: Apache-2.0
//! A delegate's ADD, which runs while its caller goes on, and is taken back when it fails.

use std::process::Child;

use super::Delegate;
use crate::verb::Verb;
use crate::{AddResult, Code, Error, warn};

/// Why a delegate's ADD failed, and what is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedAdd {
    /// Why.
    pub error: Error,
    /// Whether nothing of the attachment is left: not so when it was there before, nor when the
    /// delegate's DEL failed too.
    pub undone: bool,
}

/// An ADD of a delegate on its way.
///
/// Dropping it is giving up on the attachment: the delegate's ADD is waited for and taken back.
#[derive(Debug)]
pub struct RunningAdd {
    pub(super) delegate: Delegate,
    pub(super) child: Option<Child>,
}

impl RunningAdd {
    /// Waits for the delegate's result. If it failed, its DEL has run when this returns, unless
    /// it failed because of an earlier ADD: then all that DEL could take away is that one's.
    ///
    /// # Errors
    /// The delegate's own, with its code; [`Code::DELEGATE`] for an answer that is no result.
    pub fn finish(self) -> Result<AddResult, Error> {
        self.end().map_err(|failed| failed.error)
    }

    /// As [`Self::finish`], for a caller that must know whether anything is left.
    ///
    /// # Errors
    /// As [`Self::finish`].
    pub fn end(mut self) -> Result<AddResult, FailedAdd> {
        let child = self
            .child
            .take()
            .expect("only finish and drop take the child");
        let answer = self.delegate.answer(Verb::Add, child);
        let result = answer.and_then(|stdout| self.delegate.result(&stdout));
        result.map_err(|error| {
            if is_duplicate(&error) {
                return FailedAdd {
                    error,
                    undone: false,
                };
            }
            let undone = self.delegate.del();
            FailedAdd {
                undone: undone.is_ok(),
                error: match undone {
                    Ok(()) => error,
                    Err(undo) => Error::new(error.code, format!("{error}; not undone: {undo}")),
                },
            }
        })
    }
}

impl Drop for RunningAdd {
    fn drop(&mut self) {
        let Some(child) = self.child.take() else {
            return;
        };
        if self
            .delegate
            .answer(Verb::Add, child)
            .is_err_and(|error| is_duplicate(&error))
        {
            return;
        }
        if let Err(error) = self.delegate.del() {
            let plugin = &self.delegate.plugin;
            warn(format_args!(
                "cannot take back the ADD of plugin {plugin:?}: {error}"
            ));
        }
    }
}

/// Whether an ADD was refused because the attachment has its addresses already. The reference's
/// host-local has one code for everything and says it in words.
fn is_duplicate(error: &Error) -> bool {
    error.code == Code::ALREADY_ATTACHED
        || error.msg.contains("duplicate allocation is not allowed")
}
