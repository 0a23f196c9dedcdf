// SPDX-License-Identifier: Apache-2.0
//! The one error of this crate: what was wished, and why the kernel said no.
//! The errno stays a value, because callers decide by it (a link that exists
//! already, a namespace that is gone), and the kernel's extended
//! acknowledgement, where it gives one, is the best text there is.

use std::fmt;
use std::io;

use nix::errno::Errno;

/// A request that the kernel refused, or whose answer made no sense.
///
/// Displays as `<wish>: <errno's text> (<extended ack>)`.
#[derive(Debug, thiserror::Error)]
#[error("{wish}: {cause}")]
pub struct Error {
    wish: String,
    cause: Cause,
}

impl Error {
    /// The kernel's error number, if it gave one.
    #[must_use]
    pub fn errno(&self) -> Option<Errno> {
        self.cause.errno()
    }

    /// Whether the object was there already (`EEXIST`).
    #[must_use]
    pub fn is_exists(&self) -> bool {
        self.errno() == Some(Errno::EEXIST)
    }

    /// Whether the object, or one that the request names, does not exist
    /// (`ENODEV`, `ENOENT`, `ESRCH`, `EADDRNOTAVAIL`).
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        use Errno::{EADDRNOTAVAIL, ENODEV, ENOENT, ESRCH};
        matches!(self.errno(), Some(ENODEV | ENOENT | ESRCH | EADDRNOTAVAIL))
    }

    /// Whether a namespace's path leads nowhere (`ENOENT`, `ENOTDIR`, `ESRCH`):
    /// the namespace, or the process that it belonged to, is gone.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        use Errno::{ENOENT, ENOTDIR, ESRCH};
        matches!(self.errno(), Some(ENOENT | ENOTDIR | ESRCH))
    }

    /// Whether a namespace's path leads to something that is no namespace: the
    /// plain file that stays behind when a bind mount has been removed.
    #[must_use]
    pub fn is_not_namespace(&self) -> bool {
        matches!(self.cause, Cause::NotNamespace)
    }

    /// Whether nobody knows what came of the request: the kernel had more to
    /// say than the socket could hold.
    #[must_use]
    pub fn is_answer_lost(&self) -> bool {
        matches!(self.cause, Cause::Lost)
    }
}

/// Why a request failed; becomes an [`Error`] when the wish is known.
#[derive(Debug)]
pub(crate) enum Cause {
    /// The kernel's errno, with the text of its extended acknowledgement.
    Refused { errno: Errno, text: Option<String> },
    /// A path that should be a network namespace is something else.
    NotNamespace,
    /// A dump was interrupted by changes each time it was tried.
    Unsteady,
    /// The answer was dropped, because the socket was full.
    Lost,
    /// No answer came, or none that could be decoded.
    Silent,
}

impl Cause {
    /// This cause as the reason why `wish` was not granted.
    pub(crate) fn during(self, wish: impl Into<String>) -> Error {
        Error {
            wish: wish.into(),
            cause: self,
        }
    }

    pub(crate) fn errno(&self) -> Option<Errno> {
        match self {
            Self::Refused { errno, .. } => Some(*errno),
            _ => None,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { errno, text: None } => f.write_str(describe(*errno)),
            Self::Refused {
                errno,
                text: Some(text),
            } => write!(f, "{} ({text})", describe(*errno)),
            Self::NotNamespace => f.write_str("it is not a network namespace"),
            Self::Unsteady => f.write_str("the list changed during each reading of it"),
            Self::Lost => f.write_str("the kernel's answer was lost"),
            Self::Silent => f.write_str("the kernel gave no answer that could be understood"),
        }
    }
}

fn describe(errno: Errno) -> &'static str {
    match errno {
        // nix speaks of a "transport endpoint" here, as sockets do.
        Errno::EOPNOTSUPP => "Operation not supported",
        errno => errno.desc(),
    }
}

impl From<Errno> for Cause {
    fn from(errno: Errno) -> Self {
        Self::Refused { errno, text: None }
    }
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(code) => Errno::from_raw(code).into(),
            None => Self::Refused {
                errno: Errno::EIO,
                text: Some(error.to_string()),
            },
        }
    }
}
