// SPDX-License-Identifier: Apache-2.0
//! Network namespaces by descriptor. A thread enters one for as long as a
//! closure runs, usually just long enough to open a socket there.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::libc::O_NONBLOCK;
use nix::sched::{CloneFlags, setns};
use nix::sys::statfs::{NSFS_MAGIC, fstatfs};

use crate::Error;
use crate::error::Cause;

/// An open network namespace. It exists at least as long as this value does,
/// whatever happens to the path or the process that it was reached by.
#[derive(Debug)]
pub struct Netns {
    file: File,
}

impl Netns {
    /// Opens the namespace that a path leads to: `/run/netns/NAME` or
    /// `/proc/PID/ns/net`.
    ///
    /// # Errors
    /// [`Error::is_gone`] when the path does not exist,
    /// [`Error::is_not_namespace`] when it is some other kind of file.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::try_open(path)
            .map_err(|cause| cause.during(format!("cannot open the network namespace {path:?}")))
    }

    /// The namespace that the calling thread is in.
    ///
    /// # Errors
    /// When `/proc` is not mounted.
    pub fn current() -> Result<Self, Error> {
        let file = File::open("/proc/thread-self/ns/net");
        file.map(|file| Self { file })
            .map_err(|e| Cause::from(e).during("cannot open the thread's own network namespace"))
    }

    /// Runs `f` with this thread inside the namespace, and comes back, even
    /// when `f` panics. Other threads stay where they are.
    ///
    /// # Errors
    /// When the thread may not enter. `f` has not run then.
    ///
    /// # Aborts
    /// When the thread cannot come back: what follows would happen to the wrong
    /// namespace.
    pub fn run<T>(&self, f: impl FnOnce() -> T) -> Result<T, Error> {
        let home = Return(Self::current()?);
        self.enter()
            .map_err(|errno| Cause::from(errno).during("cannot enter the network namespace"))?;
        let result = f();
        drop(home);
        Ok(result)
    }

    /// The same namespace once more.
    pub(crate) fn try_clone(&self) -> Result<Self, Error> {
        match self.file.try_clone() {
            Ok(file) => Ok(Self { file }),
            Err(e) => {
                Err(Cause::from(e).during("cannot duplicate a network namespace's descriptor"))
            }
        }
    }

    fn try_open(path: &Path) -> Result<Self, Cause> {
        // Without O_NONBLOCK a fifo in the namespace's place would block here.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(O_NONBLOCK)
            .open(path)?;
        let netns = match fstatfs(&file)?.filesystem_type() {
            NSFS_MAGIC => Self { file },
            _ => return Err(Cause::NotNamespace),
        };
        // Whether it is one for networks shows when a thread enters, and no earlier. That it may
        // not enter is no matter before it has to.
        match netns.run(|| ()) {
            Err(error) if error.errno() == Some(Errno::EINVAL) => Err(Cause::NotNamespace),
            _ => Ok(netns),
        }
    }

    fn enter(&self) -> Result<(), Errno> {
        setns(&self.file, CloneFlags::CLONE_NEWNET)
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Brings the thread back to where it was.
struct Return(Netns);

impl Drop for Return {
    fn drop(&mut self) {
        if self.0.enter().is_err() {
            std::process::abort();
        }
    }
}
