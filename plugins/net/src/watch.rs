// SPDX-License-Identifier: Apache-2.0
//! Waiting for the kernel to get somewhere, woken by its notifications instead
//! of looking again and again. They come by a socket of their own: on the one
//! that requests go by, a flood of them would push the answers out.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_ROUTE;
use nix::errno::Errno;
use nix::libc::MSG_DONTWAIT;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rtnetlink::MulticastGroup;

use crate::error::Cause;
use crate::{Error, Rtnl};

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
        let failed = |cause: Cause| cause.during("cannot wait for notifications of the kernel");
        let deadline = Instant::now() + limit;
        let notifications = self
            .netns()
            .run(|| subscribe(group))?
            .map_err(|e| failed(Cause::from(e)))?;
        // What changed before the subscription, this look sees.
        while !done()? {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            readable(&notifications, left).map_err(|errno| failed(Cause::from(errno)))?;
            forget(&notifications);
        }
        Ok(true)
    }
}

fn subscribe(group: MulticastGroup) -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.add_membership(group as u32)?;
    Ok(socket)
}

/// Waits until a socket can be read, or the time is over.
fn readable(socket: &Socket, limit: Duration) -> Result<(), Errno> {
    // Rounded up: less than a millisecond must not become none.
    let limit = PollTimeout::try_from(limit + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLIN)], limit) {
        Err(Errno::EINTR) | Ok(_) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Reads and drops what has arrived: that something did is all that counts.
fn forget(socket: &Socket) {
    let mut beginning = [0; 16];
    while socket.recv(&mut &mut beginning[..], MSG_DONTWAIT).is_ok() {}
}
