// SPDX-License-Identifier: Apache-2.0
//! The one error type of a plugin: what becomes the error object on stdout.

use std::error::Error as StdError;
use std::fmt;
use std::fmt::Display;

use serde::Serialize;

use crate::Version;

/// The number that tells a runtime what kind of failure it is; `docs/errors.md` lists all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Code(pub u32);

/// The codes below 100 are the specification's (section "Error"), 8 is the reference plugins', and
/// those from 100 up are Podwire's.
impl Code {
    /// The plugin does not speak the configuration's version.
    pub const INCOMPATIBLE_VERSION: Self = Self(1);
    /// A field of the configuration is not supported; the message has its key and value.
    pub const UNSUPPORTED_FIELD: Self = Self(2);
    /// The container is not known and nothing of it is left, so that no DEL is needed.
    pub const UNKNOWN_CONTAINER: Self = Self(3);
    /// An environment variable is missing or malformed.
    pub const INVALID_ENVIRONMENT: Self = Self(4);
    /// Reading or writing failed.
    pub const IO: Self = Self(5);
    /// Something is not the JSON that it should be.
    pub const DECODE: Self = Self(6);
    /// The configuration says something that cannot be.
    pub const INVALID_CONFIG: Self = Self(7);
    /// `CNI_NETNS` is no network namespace that can be used.
    pub const INVALID_NETNS: Self = Self(8);
    /// The same call may succeed later.
    pub const TRY_AGAIN_LATER: Self = Self(11);
    /// STATUS: an ADD would fail.
    pub const UNAVAILABLE: Self = Self(50);
    /// STATUS: an ADD would fail, and existing containers may have lost connectivity.
    pub const UNAVAILABLE_LIMITED: Self = Self(51);
    /// The kernel refused a netlink request or a sysctl.
    pub const KERNEL: Self = Self(100);
    /// A delegated plugin is missing, or did not answer as a plugin does.
    pub const DELEGATE: Self = Self(101);
    /// The attachment exists already.
    pub const ALREADY_ATTACHED: Self = Self(102);
    /// The requested address is taken or may not be given out.
    pub const ADDRESS_UNAVAILABLE: Self = Self(103);
    /// A range set has no free address.
    pub const RANGE_EXHAUSTED: Self = Self(104);
    /// CHECK: the kernel or a store differs from what ADD made.
    pub const CHECK_FAILED: Self = Self(105);
    /// An nf_tables change was refused.
    pub const FIREWALL: Self = Self(106);
    /// An object of the host is in the way and may not be changed.
    pub const CONFLICT: Self = Self(107);
    /// A port of the host is held by another attachment.
    pub const PORT_TAKEN: Self = Self(108);
    /// A mistake in the plugin itself: it panicked.
    pub const INTERNAL: Self = Self(199);
}

impl Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a call failed, in the form that the protocol gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind of failure it is.
    pub code: Code,
    /// One sentence that names the object, the wish and the cause.
    pub msg: String,
    /// What else there is to say; runtimes print it after the message.
    pub details: Option<String>,
}

impl Error {
    /// An error without details.
    pub fn new(code: Code, msg: impl Into<String>) -> Self {
        Self {
            code,
            msg: msg.into(),
            details: None,
        }
    }

    /// The same error with these details.
    #[must_use]
    pub fn with_details(self, details: impl Into<String>) -> Self {
        Self {
            details: Some(details.into()),
            ..self
        }
    }

    /// What a DEL or GC that went on past its failures answers: nothing failed, or all that failed
    /// in one error with the first one's code.
    ///
    /// # Errors
    /// Whenever `errors` is not empty.
    pub fn join(mut errors: Vec<Self>) -> Result<(), Self> {
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.remove(0)),
            _ => {
                let sentences: Vec<_> = errors.iter().map(Self::to_string).collect();
                Err(Self::new(errors[0].code, sentences.join("; ")))
            }
        }
    }

    /// The error object (specification, section "Error").
    pub(crate) fn object(&self, version: Version) -> impl Serialize + '_ {
        Object {
            cni_version: version,
            code: self.code,
            msg: &self.msg,
            details: self.details.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct Object<'a> {
    #[serde(rename = "cniVersion")]
    cni_version: Version,
    code: Code,
    msg: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a str>,
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.msg)?;
        match &self.details {
            Some(details) => write!(f, "; {details}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {}

/// Turns any library's error into the protocol's.
pub trait OrCode<T> {
    /// The failure under `code`, as `wish: cause: the cause's causes`; `wish` says what was being
    /// done, such as `cannot open the network namespace "/run/netns/a"`.
    ///
    /// # Errors
    /// Exactly when the result is one.
    fn or_code(self, code: Code, wish: impl Display) -> Result<T, Error>;
}

impl<T, E: StdError> OrCode<T> for Result<T, E> {
    fn or_code(self, code: Code, wish: impl Display) -> Result<T, Error> {
        self.map_err(|error| Error::new(code, format!("{wish}: {}", with_sources(&error))))
    }
}

/// Errors of other crates sometimes print their source themselves; it is not printed twice.
fn with_sources(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let sentence = cause.to_string();
        if !text.ends_with(&sentence) {
            text = format!("{text}: {sentence}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug)]
    struct Layer(&'static str, Option<io::Error>);

    impl Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl StdError for Layer {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            self.1.as_ref().map(|error| error as _)
        }
    }

    #[test]
    fn an_error_shows_its_details_after_the_message() {
        let error = Error::new(Code::IO, "cannot read x");
        assert_eq!(error.to_string(), "cannot read x");
        assert_eq!(
            error.with_details("disk gone").to_string(),
            "cannot read x; disk gone"
        );
    }

    #[test]
    fn joined_errors_keep_the_first_code_and_every_sentence() {
        assert_eq!(Error::join(Vec::new()), Ok(()));
        let first = Error::new(Code::KERNEL, "a").with_details("b");
        assert_eq!(Error::join(vec![first.clone()]), Err(first.clone()));
        let joined = Error::join(vec![first, Error::new(Code::FIREWALL, "c")]).unwrap_err();
        assert_eq!(joined, Error::new(Code::KERNEL, "a; b; c"));
    }

    #[test]
    fn a_cause_is_named_once() {
        let cause = || Some(io::Error::other("disk gone"));
        let apart = Err::<(), _>(Layer("lease not written", cause())).or_code(Code::IO, "wish");
        assert_eq!(apart.unwrap_err().msg, "wish: lease not written: disk gone");
        let within = Err::<(), _>(Layer("lease: disk gone", cause())).or_code(Code::IO, "wish");
        assert_eq!(within.unwrap_err().msg, "wish: lease: disk gone");
    }

    #[test]
    fn the_error_object_leaves_out_absent_details() {
        let error = Error::new(Code::TRY_AGAIN_LATER, "busy");
        let object = serde_json::to_value(error.object(Version::V0_4_0)).unwrap();
        let expected = serde_json::json!({ "cniVersion": "0.4.0", "code": 11, "msg": "busy" });
        assert_eq!(object, expected);
    }
}
