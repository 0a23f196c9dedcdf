// SPDX-License-Identifier: Apache-2.0
//! Which boot of the host it is: no network namespace, and so no reason to hold an address,
//! outlives one.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::Error;

/// The running boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    id: String,
    since: SystemTime,
}

impl Boot {
    /// Reads it from `/proc` (proc(5): `sys/kernel/random/boot_id`, `uptime`).
    ///
    /// # Errors
    /// When `/proc` is not there.
    pub fn current() -> Result<Self, Error> {
        let read = |path: &str| {
            fs::read_to_string(path).map_err(Error::io(
                "learn about the host's boot from",
                Path::new(path),
            ))
        };
        let uptime = read("/proc/uptime")?;
        let seconds = uptime
            .split('.')
            .next()
            .and_then(|whole| whole.parse().ok())
            .unwrap_or(0);
        let since = SystemTime::now() - Duration::from_secs(seconds);
        Ok(Self::new(&read("/proc/sys/kernel/random/boot_id")?, since))
    }

    /// A boot by its identity, of which the first 16 letters and digits count, and its beginning.
    pub fn new(id: &str, since: SystemTime) -> Self {
        let id = id
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(16)
            .collect();
        Self { id, since }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Whether something that was last changed at `time` stems from an earlier boot. Uptime is
    /// known in whole seconds, and the clock of a young boot is corrected by small steps: what is
    /// older by less than two seconds counts as of this boot.
    pub(super) fn began_after(&self, time: SystemTime) -> bool {
        self.since
            .duration_since(time)
            .is_ok_and(|age| age > Duration::from_secs(2))
    }
}
