// SPDX-License-Identifier: Apache-2.0
//! Waiting for the kernel to get somewhere, woken by its notifications instead
//! of looking again and again. They come by a socket of their own: on the one
//! that requests go by, a flood of them would push the answers out.

use std::time::{Duration, Instant};

use rtnetlink::MulticastGroup;

use crate::{Error, Monitor, Rtnl};

impl Rtnl {
    /// Asks `done` now and after each notification of a group, until it says
    /// yes or the time is over. Returns its last answer.
    pub(crate) fn watch(
        &self,
        group: MulticastGroup,
        limit: Duration,
        mut done: impl FnMut() -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        if done()? {
            return Ok(true);
        }
        let deadline = Instant::now() + limit;
        let monitor = self.netns().run(|| Monitor::of(&[group]))??;
        // What changed before the subscription, this look sees.
        while !done()? {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            monitor.wait(left)?;
            monitor.drain();
        }
        Ok(true)
    }
}
