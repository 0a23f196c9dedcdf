// SPDX-License-Identifier: Apache-2.0
//! The log: to standard error, a line for each thing.

use std::io::stderr;

use tracing::Level;

use crate::cli::LogFormat;

/// Logs from now on.
pub(crate) fn begin(format: LogFormat, level: Level) {
    let log = tracing_subscriber::fmt()
        .with_writer(stderr)
        // It would be said on stderr as well, by a macro that panics where nobody reads that.
        .log_internal_errors(false)
        .with_max_level(level)
        .with_target(false);
    match format {
        LogFormat::Text => log.with_ansi(false).init(),
        LogFormat::Json => log
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .init(),
    }
}
