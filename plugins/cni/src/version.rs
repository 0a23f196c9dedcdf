// SPDX-License-Identifier: Apache-2.0
//! The versions of the specification, and which verb each of them knows.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::{Code, Error};

/// A version of the CNI specification; older versions are smaller.
#[allow(non_camel_case_types, reason = "the names are version numbers")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// 0.1.0: ADD and DEL; a result has one address per family.
    V0_1_0,
    /// 0.2.0: VERSION.
    V0_2_0,
    /// 0.3.0: chains of plugins; a result lists interfaces, addresses and routes.
    V0_3_0,
    /// 0.3.1: a correction of 0.3.0's text.
    V0_3_1,
    /// 0.4.0: CHECK, and `prevResult` on DEL.
    V0_4_0,
    /// 1.0.0: addresses no longer say their family.
    V1_0_0,
    /// 1.1.0: GC and STATUS; MTU and more in interfaces and routes.
    V1_1_0,
}

impl Version {
    /// All versions, oldest first.
    pub const ALL: [Self; 7] = [
        Self::V0_1_0,
        Self::V0_2_0,
        Self::V0_3_0,
        Self::V0_3_1,
        Self::V0_4_0,
        Self::V1_0_0,
        Self::V1_1_0,
    ];

    /// The version that an error object names when the configuration's is not known.
    pub(crate) const NEWEST: Self = Self::V1_1_0;

    /// The version as configurations write it, such as `1.0.0`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V0_1_0 => "0.1.0",
            Self::V0_2_0 => "0.2.0",
            Self::V0_3_0 => "0.3.0",
            Self::V0_3_1 => "0.3.1",
            Self::V0_4_0 => "0.4.0",
            Self::V1_0_0 => "1.0.0",
            Self::V1_1_0 => "1.1.0",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Version {
    type Err = Error;

    /// Only the exact spelling: `1.1` is no version.
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|version| version.as_str() == text)
            .ok_or_else(|| {
                Error::new(
                    Code::INCOMPATIBLE_VERSION,
                    format!("unknown CNI version {text:?}"),
                )
            })
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_is_read_as_it_is_written() {
        for version in Version::ALL {
            assert_eq!(version.to_string().parse(), Ok(version));
        }
    }

    #[test]
    fn versions_are_ordered_by_age() {
        assert!(Version::ALL.is_sorted());
        assert_eq!(Version::ALL.last(), Some(&Version::NEWEST));
    }

    #[test]
    fn only_the_exact_spelling_is_a_version() {
        for text in [
            "", "1", "1.1", "v1.1.0", "1.1.0 ", "01.1.0", "2.0.0", "0.3.2",
        ] {
            assert_eq!(
                text.parse::<Version>().unwrap_err().code,
                Code::INCOMPATIBLE_VERSION
            );
        }
    }
}
