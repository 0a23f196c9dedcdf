// SPDX-License-Identifier: Apache-2.0
//! The lock that the reference plugin takes too, waited for no longer than is allowed.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::Error;

/// Takes the lock (flock(2), exclusive); it is held until the file is dropped.
///
/// # Errors
/// [`Error::Locked`] after `limit`.
pub(super) fn acquire(path: &Path, limit: Duration) -> Result<File, Error> {
    let start = Instant::now();
    loop {
        let file = open(path).map_err(Error::io("open the lock", path))?;
        let left = limit.saturating_sub(start.elapsed());
        let Some(file) = lock(file, left).map_err(Error::io("lock", path))? else {
            return Err(Error::Locked {
                path: path.to_owned(),
                limit,
            });
        };
        // Somebody may have removed the directory meanwhile: a lock that others can't find is none.
        if is_at(&file, path).map_err(Error::io("look at the lock", path))? {
            return Ok(file);
        }
    }
}

/// Opens the lock's file without writing to the file system if it is there.
fn open(path: &Path) -> io::Result<File> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o750)
            .open(path),
        opened => opened,
    }
}

/// Locks the file: none when that takes longer than `limit`. The wait is a thread's, because
/// flock(2) knows no limit; a thread that waits in vain ends with the process.
fn lock(file: File, limit: Duration) -> io::Result<Option<File>> {
    match file.try_lock() {
        Ok(()) => return Ok(Some(file)),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().spawn(move || sender.send(file.lock().map(|()| file)))?;
    receiver
        .recv_timeout(limit)
        .map_or(Ok(None), |locked| locked.map(Some))
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(named) => Ok(named.ino() == file.metadata()?.ino()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
