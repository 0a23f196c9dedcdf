// SPDX-License-Identifier: Apache-2.0
//! Waiting for a link to run, woken by the kernel's notification instead of
//! looking again and again.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use netlink_sys::Socket;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rtnetlink::MulticastGroup;

use crate::error::Cause;
use crate::{Error, Rtnl};

const LINKS: u32 = MulticastGroup::Link as u32;

impl Rtnl {
    /// Waits until a link runs (it is up and has a carrier), but not longer than
    /// `limit`. Returns whether it does.
    ///
    /// # Errors
    /// [`Error::is_not_found`] when there is no such link, or no longer.
    pub fn wait_running(&self, index: u32, limit: Duration) -> Result<bool, Error> {
        if self.is_running(index)? {
            return Ok(true);
        }
        let wish = || format!("cannot wait for {} to run", self.describe(index));
        let subscribe = |socket: &Socket| socket.add_membership(LINKS);
        self.with_socket(subscribe)
            .map_err(|e| Cause::from(e).during(wish()))?;
        let outcome = self.watch(index, Instant::now() + limit);
        // What still arrives after a failure to unsubscribe is not asked for
        // and falls away.
        let _ = self.with_socket(|socket| socket.drop_membership(LINKS));
        outcome
    }

    fn watch(&self, index: u32, deadline: Instant) -> Result<bool, Error> {
        loop {
            self.forget_notices();
            if self.is_running(index)? {
                return Ok(true);
            }
            // A notice that came in with the answer may be newer than it.
            if self.forget_notices() {
                continue;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            self.with_socket(|socket| readable(socket, left))
                .map_err(|errno| {
                    Cause::from(errno).during("cannot wait for notifications of links")
                })?;
        }
    }

    fn is_running(&self, index: u32) -> Result<bool, Error> {
        match self.link_at(index)? {
            Some(link) => Ok(link.running),
            None => {
                let wish = format!("cannot wait for the link with index {index} to run");
                Err(Cause::from(Errno::ENODEV).during(wish))
            }
        }
    }
}

/// Waits until something can be read from a socket, or the time is over.
fn readable(socket: &Socket, limit: Duration) -> Result<(), Errno> {
    // Rounded up, so that less than a millisecond left is not a busy loop.
    let limit = PollTimeout::try_from(limit + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLIN)], limit) {
        Err(Errno::EINTR) | Ok(_) => Ok(()),
        Err(errno) => Err(errno),
    }
}
