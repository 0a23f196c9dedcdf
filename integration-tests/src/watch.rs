// SPDX-License-Identifier: Apache-2.0
//! Waiting for what a program under test will do to a place's network, woken by the kernel.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::place::Place;

impl Place {
    /// Asks `done` now and after every change of links, addresses, routes, neighbours or nf_tables
    /// here, until it says yes; how long that took, or `None` if `limit` was not enough.
    ///
    /// # Panics
    /// When the kernel does not tell of its changes.
    pub fn eventually(&self, limit: Duration, mut done: impl FnMut() -> bool) -> Option<Duration> {
        let (links, mut rules) = self.run(|| (net::Monitor::open(), nft::Monitor::open()));
        let links = links.unwrap_or_else(|error| panic!("{error}"));
        let rules = rules.as_mut().unwrap_or_else(|error| panic!("{error}"));
        let start = Instant::now();
        while !done() {
            let left = limit.checked_sub(start.elapsed())?;
            let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let mut waiting =
                [links.as_fd(), rules.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            poll(&mut waiting, left).expect("notifications can be waited for");
            links.drain();
            rules.drain().unwrap_or_else(|error| panic!("{error}"));
        }
        Some(start.elapsed())
    }
}
