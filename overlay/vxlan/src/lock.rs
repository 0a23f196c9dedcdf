// SPDX-License-Identifier: Apache-2.0
//! The lock under which one call programs the overlay while the others wait. The data plane bears
//! calls at the same time; but a hundred of them at boot would all do the same work.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use cni::{Code, Error, OrCode, warn};

/// What is taken.
const NAME: &str = "vxlan.lock";

/// Takes the lock (flock(2)); it is held until the file is dropped, and no longer than its process
/// lives. None where the file system does not let it be taken: then there is no waiting.
pub(crate) fn acquire(directory: &Path, limit: Duration) -> Result<Option<File>, Error> {
    let path = directory.join(NAME);
    match open(directory, &path) {
        Ok(file) => wait(file, limit)
            .or_code(Code::IO, format_args!("cannot take the lock {path:?}"))?
            .map_or_else(|| Err(held(&path, limit)), |file| Ok(Some(file))),
        Err(error) => {
            warn(format_args!("going on without the lock {path:?}: {error}"));
            Ok(None)
        }
    }
}

fn held(path: &Path, limit: Duration) -> Error {
    let msg = format!(
        "the lock {path:?} is held for more than {} seconds by another call that programs the \
         overlay",
        limit.as_secs()
    );
    Error::new(Code::TRY_AGAIN_LATER, msg)
}

fn open(directory: &Path, path: &Path) -> io::Result<File> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o755).create(directory)?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    options.mode(0o600).open(path)
}

/// The wait is a thread's, because flock(2) knows no limit; a thread that waits in vain ends with
/// the process.
fn wait(file: File, limit: Duration) -> io::Result<Option<File>> {
    match file.try_lock() {
        Ok(()) => return Ok(Some(file)),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().spawn(move || sender.send(file.lock().map(|()| file)))?;
    let locked = receiver.recv_timeout(limit);
    locked.map_or(Ok(None), |locked| locked.map(Some))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_no_longer_than_the_limit() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().join("below");
        let long = Duration::from_secs(60);
        let first = acquire(&directory, long).unwrap().unwrap();
        let error = acquire(&directory, Duration::ZERO).unwrap_err();
        assert_eq!(error.code, Code::TRY_AGAIN_LATER);
        assert!(error.msg.contains("vxlan.lock"), "{error}");
        let other = {
            let directory = directory.clone();
            thread::spawn(move || acquire(&directory, long).unwrap().is_some())
        };
        drop(first);
        assert!(other.join().unwrap());
    }

    #[test]
    fn where_there_can_be_none_nobody_waits() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let locked = acquire(&file.path().join("below"), Duration::ZERO).unwrap();
        assert!(locked.is_none());
    }
}
