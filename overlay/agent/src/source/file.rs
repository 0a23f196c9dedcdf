// SPDX-License-Identifier: Apache-2.0
//! A file that lists the nodes, watched.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf, absolute};
use std::time::Duration;

use nix::libc::O_NONBLOCK;
use nix::sys::inotify::{AddWatchFlags, InotifyEvent, WatchDescriptor};
use tokio::time::sleep;
use topology::NodeList;

use super::trail::Trail;
use super::{Source, SourceError};
use crate::watches::Watches;

/// What inotify does not tell (changes made on another machine, to a file system that both have)
/// is found after this time.
const POLL: Duration = Duration::from_secs(30);

/// The file, wherever its path leads at any time.
#[derive(Debug)]
pub(crate) struct NodesFile {
    path: PathBuf,
    watches: Watches,
    /// The watch of the file itself.
    of_file: Option<WatchDescriptor>,
    read: Look,
}

/// What the last reading found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Never,
    Missing,
    There(Version),
}

/// By what a file and a write to it are told from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl NodesFile {
    /// # Errors
    /// When the kernel has no inotify for it, or the path is empty.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: absolute(path)?,
            watches: Watches::new()?,
            of_file: None,
            read: Look::Never,
        })
    }

    /// Watches all that decides which file it is now. What changes after this is told; what
    /// changed while it went on shows in a second look.
    fn watch(&mut self) {
        loop {
            let trail = Trail::of(&self.path);
            self.watch_trail(&trail);
            if Trail::of(&self.path) == trail {
                return;
            }
        }
    }

    fn watch_trail(&mut self, trail: &Trail) {
        let directories = trail.directories.iter().map(|path| (path, of_entries()));
        let file = trail.file.iter().map(|path| (path, of_content()));
        let watches = self.watches.watch(file.chain(directories));
        self.of_file = trail.file.as_ref().and(watches[0]);
    }

    fn look(&self) -> Look {
        let version = std::fs::metadata(&self.path).map(|metadata| Version::of(&metadata));
        version.map_or(Look::Missing, Look::There)
    }

    fn content(&mut self) -> io::Result<Vec<u8>> {
        self.read = self.look();
        // Without O_NONBLOCK a fifo in the file's place would block here.
        let mut options = OpenOptions::new();
        let mut file: File = options
            .read(true)
            .custom_flags(O_NONBLOCK)
            .open(&self.path)?;
        let metadata = file.metadata()?;
        self.read = Look::There(Version::of(&metadata));
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        Ok(content)
    }
}

impl Source for NodesFile {
    async fn changed(&mut self) {
        while self.read == self.look() {
            let of_file = self.of_file;
            // A file written twice within a tick of the clock has one version.
            let is_written = |event: &InotifyEvent| {
                let written = event.mask.contains(AddWatchFlags::IN_CLOSE_WRITE);
                written && Some(event.wd) == of_file
            };
            let written = tokio::select! {
                written = self.watches.told(is_written) => written,
                () = sleep(POLL) => false,
            };
            self.watch();
            if written {
                return;
            }
        }
    }

    async fn read(&mut self) -> Result<Option<NodeList>, SourceError> {
        self.watch();
        // What happens from now on is news.
        self.watches.forget();
        let content = self.content();
        let path = self.path.clone();
        match content {
            Ok(content) => {
                let list = NodeList::parse(&content);
                list.map(Some)
                    .map_err(|error| SourceError::Malformed { path, error })
            }
            Err(error) => Err(SourceError::Unreadable { path, error }),
        }
    }

    fn file(&self) -> Option<PathBuf> {
        Some(self.path.clone())
    }
}

/// Changes of a directory that can make a path lead elsewhere.
fn of_entries() -> AddWatchFlags {
    AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_MOVE
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE_SELF
        | AddWatchFlags::IN_ONLYDIR
}

/// Changes of a file itself: what a writer has ended, so that few files are read half written, and
/// its permissions.
fn of_content() -> AddWatchFlags {
    AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_ATTRIB
}

impl Version {
    fn of(metadata: &Metadata) -> Self {
        Self {
            file: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests;
