// SPDX-License-Identifier: Apache-2.0
//! Waiting for what a program under test will do to a place's network or files, woken by the kernel.

use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

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

    /// Asks `done` now and after every change of a file, which need not be there yet, nor its
    /// directory, until it says yes; whether it did within `limit`.
    ///
    /// # Panics
    /// When the kernel does not tell of changes.
    pub fn file_eventually(
        &self,
        file: &Path,
        limit: Duration,
        mut done: impl FnMut() -> bool,
    ) -> bool {
        let until = Instant::now() + limit;
        let changes = Inotify::init(InitFlags::IN_NONBLOCK).expect("files can be watched");
        loop {
            self.watch(file, &changes);
            if done() {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let mut waiting = [PollFd::new(changes.as_fd(), PollFlags::POLLIN)];
            poll(&mut waiting, left).expect("a file can be waited for");
            changes.read_events().ok();
        }
    }

    /// Watches the directory of a file, or that in which it will be made.
    fn watch(&self, file: &Path, changes: &Inotify) {
        let directory = file.parent().expect("a file is in a directory");
        let flags =
            AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_CLOSE_WRITE;
        self.run(|| {
            for directory in [directory.parent(), Some(directory)].into_iter().flatten() {
                changes.add_watch(directory, flags).ok();
            }
        });
    }
}
