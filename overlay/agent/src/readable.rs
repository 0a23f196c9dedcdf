// SPDX-License-Identifier: Apache-2.0
//! Descriptors of the kernel's notifications, awaited.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Something that can be drained when its descriptor is readable.
#[derive(Debug)]
pub(crate) struct Readable<T: AsFd>(AsyncFd<Raw<T>>);

/// A descriptor as tokio wants it.
#[derive(Debug)]
struct Raw<T>(T);

impl<T: AsFd> AsRawFd for Raw<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl<T: AsFd> Readable<T> {
    #[expect(
        deprecated,
        reason = "the other constructor is unsafe, for a promise that owners of descriptors keep"
    )]
    pub(crate) fn new(inner: T) -> io::Result<Self> {
        let registered = AsyncFd::with_interest(Raw(inner), Interest::READABLE)?;
        Ok(Self(registered))
    }

    /// Waits until it is readable, and drains it by `drain`, which has to go on until there is
    /// nothing more to read. Given up before, it has drained nothing.
    pub(crate) async fn drained<R>(&mut self, drain: impl FnOnce(&mut T) -> R) -> R {
        let mut ready = self.0.readable_mut().await;
        // It fails when the runtime ends, and nobody waits any more then.
        if let Ok(ready) = &mut ready {
            ready.clear_ready();
        }
        drop(ready);
        drain(&mut self.0.get_mut().0)
    }

    pub(crate) fn get(&self) -> &T {
        &self.0.get_ref().0
    }
}
