// SPDX-License-Identifier: Apache-2.0
//! Files and directories watched with inotify.

use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

use crate::readable::Readable;

/// A changing set of what is watched.
#[derive(Debug)]
pub(crate) struct Watches {
    inotify: Readable<Inotify>,
    set: Vec<WatchDescriptor>,
}

impl Watches {
    /// # Errors
    /// When the kernel has no inotify instance left for this user.
    pub(crate) fn new() -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC);
        let inotify = inotify.map_err(|error| {
            let error = io::Error::from(error);
            let wish = "cannot watch files, see the sysctl fs.inotify.max_user_instances";
            io::Error::new(error.kind(), format!("{wish}: {error}"))
        })?;
        Ok(Self {
            inotify: Readable::new(inotify)?,
            set: Vec::new(),
        })
    }

    /// Watches these and nothing else. What is not there, or cannot be watched, has no descriptor.
    pub(crate) fn watch<P: AsRef<Path>>(
        &mut self,
        wanted: impl IntoIterator<Item = (P, AddWatchFlags)>,
    ) -> Vec<Option<WatchDescriptor>> {
        let inotify = self.inotify.get();
        let wanted = wanted.into_iter();
        let added = wanted.map(|(path, changes)| inotify.add_watch(path.as_ref(), changes).ok());
        let added: Vec<_> = added.collect();
        let set: Vec<_> = added.iter().flatten().copied().collect();
        for gone in self.set.iter().filter(|watch| !set.contains(watch)) {
            // It may have gone with what it watched.
            inotify.rm_watch(*gone).ok();
        }
        self.set = set;
        added
    }

    /// Waits for something to happen, and says whether `wanted` wants any of it. Also true if more
    /// happened than the kernel keeps.
    pub(crate) async fn told(&mut self, wanted: impl Fn(&InotifyEvent) -> bool) -> bool {
        self.inotify.drained(|inotify| drain(inotify, wanted)).await
    }

    /// Forgets what has happened so far.
    pub(crate) fn forget(&mut self) {
        drain(self.inotify.get(), |_| false);
    }
}

fn drain(inotify: &Inotify, wanted: impl Fn(&InotifyEvent) -> bool) -> bool {
    let lost = |event: &InotifyEvent| event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW);
    let mut told = false;
    loop {
        match inotify.read_events() {
            Ok(events) => told |= events.iter().any(|it| lost(it) || wanted(it)),
            Err(Errno::EINTR) => {}
            Err(_) => return told,
        }
    }
}
