// SPDX-License-Identifier: Apache-2.0
//! Files that appear with all of their content or not at all, for their owner alone.

use std::collections::hash_map::RandomState;
use std::fs::{self, DirBuilder, DirEntry, File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// How the name of a file begins that is still being written. No container's ID begins so.
const NEW: &str = ".podwire-new-";

/// What is still being written after this time never will be.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Makes `content` the content of a file, in a directory that is made if need be.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent();
    let directory = directory.ok_or_else(|| io::Error::other("it is not the path of a file"))?;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    // The length of the ID leaves no room for a name made of it.
    let number = RandomState::new().build_hasher().finish();
    let new = directory.join(format!("{NEW}{number:016x}"));
    let written = write(&new, content).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        fs::remove_file(&new).ok();
    }
    written?;
    File::open(directory)?.sync_all()
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Whether a file was still being written; if that was long ago it is removed.
pub(super) fn remove_if_abandoned(entry: &DirEntry) -> bool {
    if !entry
        .file_name()
        .as_encoded_bytes()
        .starts_with(NEW.as_bytes())
    {
        return false;
    }
    let written = entry.metadata().and_then(|metadata| metadata.modified());
    let age = written.ok().and_then(|time| time.elapsed().ok());
    if age.is_some_and(|age| age > ABANDONED) {
        fs::remove_file(entry.path()).ok();
    }
    true
}
