// SPDX-License-Identifier: Apache-2.0
//! How the agent can be watched at work: its log, and what it serves.

use clap::{Args, ValueEnum};

use crate::http::Listen;

#[derive(Args, Debug)]
pub(crate) struct Service {
    /// Serve /healthz, /readyz and /metrics there; :PORT means all addresses
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) http: Option<Listen>,
    /// How to write the log, which goes to stderr
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
    /// What to log: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub(crate) log_level: tracing::Level,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line of text with keys and values
    Text,
    /// A JSON object on a line
    Json,
}
