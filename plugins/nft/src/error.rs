// SPDX-License-Identifier: Apache-2.0
//! Why a change or a look-up did not succeed: always with the object it was about.

use nix::errno::Errno;

/// A refusal by nf_tables.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused one request.
    #[error("{wish}: {}{}", errno.desc(), in_brackets(text.as_deref()))]
    Refused {
        /// What was asked for, with the object's name.
        wish: String,
        /// The kernel's error number.
        errno: Errno,
        /// The kernel's extended-ack text, if it gave one.
        text: Option<String>,
    },
    /// The kernel has no nf_tables, or not the part of it that the wish takes.
    #[error(
        "{wish}: the kernel's nf_tables is missing or too old \
         (nat for the family inet needs Linux 5.2)"
    )]
    Unsupported {
        /// What was asked for, with the object's name.
        wish: String,
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
            Error::Unsupported { .. } | Error::Answer { .. } | Error::Contended { .. } => None,
        }
    }

    /// The object, or the table or chain it would be in, does not exist.
    pub fn is_not_found(&self) -> bool {
        self.errno() == Some(Errno::ENOENT)
    }

    /// The kernel has no nf_tables, so nothing of ours or of others can be in it.
    pub fn is_unsupported(&self) -> bool {
        matches!(self, Error::Unsupported { .. })
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

    /// What was asked for is not supported if the kernel answered one of `errnos`.
    pub(crate) fn unsupported_if(self, errnos: &[Errno]) -> Error {
        match self {
            Error::Refused { wish, errno, .. } if errnos.contains(&errno) => {
                Error::Unsupported { wish }
            }
            error => error,
        }
    }
}

fn in_brackets(text: Option<&str>) -> String {
    text.map_or_else(String::new, |text| format!(" ({text})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_wish_and_cause() {
        let refused = |text: Option<&str>| Error::Refused {
            wish: "add table inet podwire".to_owned(),
            errno: Errno::EPERM,
            text: text.map(str::to_owned),
        };
        let sentence = "add table inet podwire: Operation not permitted";
        assert_eq!(refused(None).to_string(), sentence);
        assert_eq!(
            refused(Some("why")).to_string(),
            format!("{sentence} (why)")
        );
        assert!(
            refused(None)
                .unsupported_if(&[Errno::EPERM])
                .is_unsupported()
        );
        assert!(
            !refused(None)
                .unsupported_if(&[Errno::ENOENT])
                .is_unsupported()
        );
    }
}
