// SPDX-License-Identifier: Apache-2.0
//! How one knows that the index agrees with the directory.
//!
//! Whoever adds or removes a file in a directory makes the kernel set its modification and its
//! change time to now. After an operation of ours the store's and the index's directory are both
//! given one modification time that is not their change time. As long as that is so, nobody has
//! touched either of them; the comparison is exact and costs three system calls.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Boot;

/// The link in the index that says how and in which boot the index was made.
pub(super) const LINK: &str = "stamp";

/// Whether leases of an earlier boot may be in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Earlier {
    /// There is none.
    None,
    /// There was one when the directory was read last.
    Perhaps,
}

impl Earlier {
    fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Perhaps => "earlier",
        }
    }
}

/// A directory's times, in seconds and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) modified: (i64, i64),
    pub(super) changed: (i64, i64),
}

impl Times {
    fn of(metadata: &Metadata) -> Self {
        Self {
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether both directories are as [`set`] left them. Its nanoseconds are odd, so a file system
    /// that does not keep them is never believed.
    pub(super) fn agree(store: Self, index: Self) -> bool {
        store.modified == index.modified
            && store.modified != store.changed
            && index.modified != index.changed
            && store.modified.1 % 2 == 1
    }
}

/// What is known about the store if the index agrees with it and stems from this boot.
pub(super) fn read(store: &Path, index: &Path, boot: &Boot) -> Option<Earlier> {
    let times = |path| fs::metadata(path).map(|metadata| Times::of(&metadata)).ok();
    if !Times::agree(times(store)?, times(index)?) {
        return None;
    }
    let link = fs::read_link(index.join(LINK)).ok()?;
    [Earlier::None, Earlier::Perhaps]
        .into_iter()
        .find(|earlier| link.as_os_str() == target(boot, *earlier).as_str())
}

/// What the link says: the index's format, the boot, and whether leases of an earlier one may be
/// there.
pub(super) fn target(boot: &Boot, earlier: Earlier) -> String {
    format!("1 {} {}", boot.id(), earlier.word())
}

/// States that index and store agree, by equal times that nothing but this function sets.
pub(super) fn set(store: &Path, index: &Path) -> io::Result<()> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(io::Error::other)?;
    let odd = UNIX_EPOCH + Duration::new(now.as_secs(), now.subsec_nanos() | 1);
    File::open(index)?.set_modified(odd)?;
    File::open(store)?.set_modified(odd)
}
