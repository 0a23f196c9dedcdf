// SPDX-License-Identifier: Apache-2.0
//! Why a change or a look-up did not succeed: always with the object it was about.

use nix::errno::Errno;

/// A refusal by nf_tables.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused one request.
    #[error("{wish}: {}{}", errno.desc(), hint(*errno, text.as_deref()))]
    Refused {
        /// What was asked for, with the object's name.
        wish: String,
        /// The kernel's error number.
        errno: Errno,
        /// The kernel's extended-ack text, if it gave one.
        text: Option<String>,
    },
    /// The kernel's answer is not one that nf_tables gives.
    #[error("{wish}: the kernel's answer is {fault}")]
    Answer {
        /// What was asked for.
        wish: String,
        /// What is wrong with the answer.
        fault: &'static str,
    },
    /// Somebody else changed the ruleset between each of our looks at it and our change.
    #[error(
        "nf_tables: others changed the ruleset during each of {attempts} attempts to change it"
    )]
    Contended {
        /// How often it was tried.
        attempts: u32,
    },
}

impl Error {
    /// The kernel's error number, where the kernel gave one.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Error::Refused { errno, .. } => Some(*errno),
            Error::Answer { .. } | Error::Contended { .. } => None,
        }
    }

    /// The object, or the table or chain it would be in, does not exist.
    pub fn is_not_found(&self) -> bool {
        self.errno() == Some(Errno::ENOENT)
    }

    pub(crate) fn io(wish: &str, error: &std::io::Error) -> Error {
        let errno = error
            .raw_os_error()
            .map_or(Errno::UnknownErrno, Errno::from_raw);
        Error::Refused {
            wish: wish.to_owned(),
            errno,
            text: None,
        }
    }
}

/// The extended-ack text, or what the error number means when nf_tables itself is absent.
fn hint(errno: Errno, text: Option<&str>) -> String {
    match (errno, text) {
        (_, Some(text)) => format!(" ({text})"),
        (Errno::EPROTONOSUPPORT | Errno::EOPNOTSUPP, None) => {
            " (nf_tables with nat for the family inet is needed: Linux 5.2 or later)".to_owned()
        }
        _ => String::new(),
    }
}
