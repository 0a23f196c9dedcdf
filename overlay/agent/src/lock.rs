// SPDX-License-Identifier: Apache-2.0
//! One agent for an overlay: the lock that it holds for as long as it runs.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The lock's name, beside the state file.
const NAME: &str = "podwired.lock";

/// A lock that is held until it is dropped, or the process ends. The file stays, with the ID of
/// the process that held it last.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
}

/// Why the lock is not held.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("another podwired, process {holder}, runs: it holds {}; end it first", path.display())]
    Held { path: PathBuf, holder: String },
    #[error("cannot lock {}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("cannot remove the lock {}: {error}", path.display())]
    Remove { path: PathBuf, error: io::Error },
}

impl Lock {
    /// Takes the lock beside a state file; makes the directory.
    pub(crate) fn take(state: &Path) -> Result<Self, Error> {
        let path = path(state);
        match Self::try_take(&path) {
            Ok(Some(lock)) => Ok(lock),
            Ok(None) => Err(Error::Held {
                holder: fs::read_to_string(&path)
                    .unwrap_or_default()
                    .trim()
                    .to_owned(),
                path,
            }),
            Err(error) => Err(Error::Io { path, error }),
        }
    }

    fn try_take(path: &Path) -> io::Result<Option<Self>> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        loop {
            let mut options = OpenOptions::new();
            let mut file = options
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                // Whoever may read it may lock it, and keep the agent out.
                .mode(0o600)
                .open(path)?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) if is_exclusive(&file) => return Ok(None),
                // Somebody only looked whether it is held.
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
                // A `cleanup` may have removed the file between open and lock.
                Ok(()) if !is_at(&file, path) => {}
                Ok(()) => {
                    // On a full disk it is the lock that counts, and not who has it.
                    let _named = say_whose(&mut file);
                    return Ok(Some(Self {
                        file,
                        path: path.to_owned(),
                    }));
                }
            }
        }
    }

    /// Removes the file and gives the lock up.
    pub(crate) fn remove(self) -> Result<(), Error> {
        let Self { file, path } = self;
        let removed = fs::remove_file(&path);
        drop(file);
        removed.map_err(|error| Error::Remove { path, error })
    }
}

/// The process that holds the lock beside a state file, if one does. Who may not read the lock
/// cannot be told.
pub(crate) fn holder(state: &Path) -> io::Result<Option<String>> {
    let mut file = match File::open(path(state)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(Some(text.trim().to_owned()).filter(|_| is_exclusive(&file)))
}

fn is_exclusive(file: &File) -> bool {
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

fn say_whose(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn path(state: &Path) -> PathBuf {
    state.with_file_name(NAME)
}

fn is_at(file: &File, path: &Path) -> bool {
    let place = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let (file, path) = (file.metadata().map(place), fs::metadata(path).map(place));
    matches!((file, path), (Ok(file), Ok(path)) if file == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_and_told_by_whom() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("podwire/overlay.json");
        assert_eq!(holder(&state).unwrap(), None);
        let lock = Lock::take(&state).unwrap();
        let error = Lock::take(&state).unwrap_err().to_string();
        let pid = std::process::id();
        assert!(
            error.starts_with(&format!("another podwired, process {pid}, runs")),
            "{error}"
        );
        assert_eq!(holder(&state).unwrap(), Some(pid.to_string()));
        let mode = fs::metadata(path(&state)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600, "others could lock what they can read");
        drop(lock);
        assert_eq!(holder(&state).unwrap(), None);
        Lock::take(&state).unwrap().remove().unwrap();
        assert_eq!(fs::read_dir(state.parent().unwrap()).unwrap().count(), 0);
    }
}
