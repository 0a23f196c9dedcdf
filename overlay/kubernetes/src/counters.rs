// SPDX-License-Identifier: Apache-2.0
//! What is counted, for metrics.

use std::collections::BTreeMap;
use std::time::SystemTime;

/// What happened since the start, and how much is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// How often a watch that was open ended, to begin anew, by cause.
    pub watch_restarts: BTreeMap<&'static str, u64>,
    /// Bytes that came from the API server, TLS included.
    pub bytes_received: u64,
    /// Bytes that went to the API server, TLS included.
    pub bytes_sent: u64,
    /// Requests by verb (`get`, `list`, `watch`, `patch`) and outcome (`2xx` to `5xx`, or `none`
    /// when there was no answer).
    pub requests: BTreeMap<(&'static str, &'static str), u64>,
    /// Requests that failed, and watches that were cut, by cause.
    pub errors: BTreeMap<&'static str, u64>,
    /// When all Nodes were last known to be known: at the last event, bookmark or list.
    pub last_sync: Option<SystemTime>,
    /// Nodes that are known, members or not, this one included.
    pub nodes: usize,
    /// Nodes that cannot be understood.
    pub unreadable: usize,
    /// Changes that were made to the own Node.
    pub patches: u64,
}
