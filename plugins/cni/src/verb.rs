// SPDX-License-Identifier: Apache-2.0
//! What `CNI_COMMAND` asks for, and since when it can.

use std::fmt;
use std::str::FromStr;

use crate::{Code, Error, Version};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Add,
    Del,
    Check,
    Gc,
    Status,
    Version,
}

impl Verb {
    const ALL: [Self; 6] = [
        Self::Add,
        Self::Del,
        Self::Check,
        Self::Gc,
        Self::Status,
        Self::Version,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::Del => "DEL",
            Self::Check => "CHECK",
            Self::Gc => "GC",
            Self::Status => "STATUS",
            Self::Version => "VERSION",
        }
    }

    /// Refuses a verb that the configuration's version does not know yet.
    pub(crate) fn demand(self, version: Version) -> Result<(), Error> {
        let since = match self {
            Self::Add | Self::Del | Self::Version => Version::V0_1_0,
            Self::Check => Version::V0_4_0,
            Self::Gc | Self::Status => Version::V1_1_0,
        };
        if version >= since {
            return Ok(());
        }
        let msg = format!("config version does not allow {self}");
        Err(Error::new(Code::INCOMPATIBLE_VERSION, msg)
            .with_details(format!("config is {version}, {self} exists since {since}")))
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Verb {
    type Err = Error;

    /// libcni compares the message with the text that it expects from plugins before 0.2.0.
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|verb| verb.as_str() == text)
            .ok_or_else(|| {
                Error::new(
                    Code::INVALID_ENVIRONMENT,
                    format!("unknown CNI_COMMAND: {text}"),
                )
            })
    }
}
