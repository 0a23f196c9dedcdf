// SPDX-License-Identifier: Apache-2.0
//! JSON read as Go programs read it, because the configurations in use were written against Go.
//!
//! Keys of structs match without regard to case and the last match wins; `null` is absence;
//! unknown keys are ignored; `1500.0` is a whole number. A failure names the key where it happened.
//! Keys fold in structs only: serde turns a struct with `flatten` into a map and tries the
//! variants of an `untagged` enum from a copy, and in both the keys stay as they are.

mod folding;

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Expected, Unexpected};
use serde_json::Value;

use self::folding::Folding;
use crate::{Code, Error};

/// Reads a `T` from `value`.
pub(crate) fn from_value<'de, T: Deserialize<'de>>(value: &'de Value) -> Result<T, Failure> {
    T::deserialize(Folding(value))
}

/// The value of a key; `null` is absence, and so is `value` not being an object.
pub(crate) fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    occurrences(value, name)
        .filter(|value| !value.is_null())
        .last()
}

/// All values of a key, `null` included, however its case is spelled.
pub(crate) fn occurrences<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    let entries = value.as_object().into_iter().flatten();
    entries
        .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// Why a document is not what it should be.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Where, such as `ipam.ranges[0][0].subnet`; empty for the document itself.
    path: String,
    cause: String,
    /// The JSON type is wrong, not what it says.
    mistyped: bool,
}

impl Failure {
    fn mistyped(expected: impl fmt::Display, found: &Value) -> Self {
        let found = match found {
            Value::Null => "null".to_owned(),
            Value::Array(_) => "an array".to_owned(),
            Value::Object(_) => "an object".to_owned(),
            scalar => scalar.to_string(),
        };
        let cause = format!("expected {expected}, found {found}");
        Self {
            path: String::new(),
            cause,
            mistyped: true,
        }
    }

    /// The same failure, seen from one level further out.
    pub(crate) fn within(mut self, segment: impl fmt::Display) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') {
            ""
        } else {
            "."
        };
        self.path = format!("{segment}{dot}{}", self.path);
        self
    }

    /// The protocol's error; `wish` says what was to be read.
    pub(crate) fn into_error(self, wish: impl fmt::Display) -> Error {
        let code = if self.mistyped {
            Code::DECODE
        } else {
            Code::INVALID_CONFIG
        };
        Error::new(code, format!("{wish}: {self}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.cause)
    }
}

impl std::error::Error for Failure {}

impl de::Error for Failure {
    fn custom<T: fmt::Display>(cause: T) -> Self {
        Self {
            path: String::new(),
            cause: cause.to_string(),
            mistyped: false,
        }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self {
            mistyped: true,
            ..Self::invalid_value(found, expected)
        }
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("expected {expected}, found {found}"))
    }
}

#[cfg(test)]
mod tests;
