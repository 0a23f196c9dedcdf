// SPDX-License-Identifier: Apache-2.0
//! The one way to say something that is no answer.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes one line to stderr. Runtimes keep it at best in their log, so nothing that a user must
/// know belongs here alone; and a stderr that is closed is no failure.
pub fn warn(sentence: impl Display) {
    writeln!(io::stderr(), "{sentence}").unwrap_or_default();
}
