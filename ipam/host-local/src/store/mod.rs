// SPDX-License-Identifier: Apache-2.0
//! Which attachment holds which address: a directory per network, changed under one lock.
//!
//! The directory is the truth: a file per address, which holds its owner. Beside it, in
//! `<dataDir>/.podwire/<network>` where the reference plugin never looks, stands an index that
//! answers the two questions for which one would otherwise read every file: what does this owner
//! hold, and which address is free. It is used only while it is known to agree with the directory,
//! and made anew from it otherwise.

mod allocate;
mod block;
mod boot;
mod error;
mod index;
mod lease;
mod lock;
mod owner;
mod release;
mod session;
mod stamp;
#[cfg(test)]
mod tests;
mod walk;

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use nix::unistd::{AccessFlags, access};

use crate::ranges::RangeSet;

pub use allocate::Wish;
pub use boot::Boot;
pub use error::Error;
pub use owner::Owner;
pub use session::Session;

use index::Index;

/// The leases of one network on this host.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    index: PathBuf,
    boot: Boot,
}

impl Store {
    /// The store of `network` below `data_dir`; nothing is made or read yet.
    ///
    /// # Errors
    /// When the name is no plain file name, or begins with a dot and so could meet the index.
    pub fn new(data_dir: &Path, network: &str, boot: Boot) -> Result<Self, Error> {
        let mut components = Path::new(network).components();
        let plain = matches!(
            (components.next(), components.next()),
            (Some(Component::Normal(name)), None) if name == network
        );
        if !plain || network.starts_with('.') {
            return Err(Error::Network(network.to_owned()));
        }
        let index = data_dir.join(".podwire").join(network);
        Ok(Self {
            dir: data_dir.join(network),
            index,
            boot,
        })
    }

    /// Whether the network has a store on this host.
    ///
    /// # Errors
    /// When that can't be seen, as with a parent that may not be searched.
    pub fn exists(&self) -> Result<bool, Error> {
        use io::ErrorKind::{InvalidFilename, NotADirectory};
        match self.dir.try_exists() {
            // A name that no directory can have (ENAMETOOLONG) has no store.
            Err(error) if matches!(error.kind(), InvalidFilename | NotADirectory) => Ok(false),
            exists => exists.map_err(Error::io("look for the store", &self.dir)),
        }
    }

    /// Whether leases could be written now, as far as that can be seen without trying: the
    /// directories may be written to, or could be made (access(2), so read-only file systems count).
    ///
    /// # Errors
    /// Names the directory that is in the way.
    pub fn check_usable(&self) -> Result<(), Error> {
        [&self.dir, &self.index].into_iter().try_for_each(|path| {
            let there = path
                .ancestors()
                .find(|path| path.exists())
                .unwrap_or_else(|| Path::new("."));
            let allowed = AccessFlags::W_OK | AccessFlags::X_OK;
            let usable = if there.is_dir() {
                access(there, allowed).map_err(io::Error::from)
            } else {
                Err(io::ErrorKind::NotADirectory.into())
            };
            usable.map_err(Error::io("write leases into", there))
        })
    }

    /// Makes the store's directory and those above it, as far as they are missing.
    ///
    /// # Errors
    /// The file system's answer.
    pub fn create(&self) -> Result<(), Error> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o755);
        builder
            .create(&self.dir)
            .map_err(Error::io("create the store", &self.dir))
    }

    /// Does something with the store while nobody else, the reference plugin included, changes it.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process holds the lock for longer than `limit`, and whatever
    /// `work` answers.
    pub fn locked<T>(
        &self,
        limit: Duration,
        work: impl FnOnce(&mut Session<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let lock = lock::acquire(&self.dir.join("lock"), limit)?;
        let mut session = Session::begin(self);
        let result = work(&mut session);
        session.end();
        drop(lock);
        result
    }

    /// Whether `owner` holds the address. Needs no lock: it looks at one file.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn holds(&self, owner: &Owner, address: IpAddr) -> Result<bool, Error> {
        let holder = lease::read(&self.dir, address)?;
        Ok(holder.is_some_and(|holder| holder == *owner || holder == owner.of_old_format()))
    }

    /// Whether no address of the set could be handed out now. Takes no lock and changes nothing, so
    /// the answer may be a moment old.
    ///
    /// # Errors
    /// When the directory can't be read.
    pub fn is_exhausted(&self, set: &RangeSet) -> Result<bool, Error> {
        if !self.exists()? {
            return Ok(false);
        }
        let spans = set.spans(None);
        let index = Index::new(&self.dir, &self.index, &self.boot);
        if index.agrees() == Some(stamp::Earlier::None)
            && let Ok(free) = index.first_free(&spans)
        {
            return Ok(free.is_none());
        }
        let held = walk::read(&self.dir, &index, &self.boot)?
            .leases
            .iter()
            .filter(|lease| !lease.is_of_earlier_boot(&self.boot))
            .filter(|lease| spans.iter().any(|span| span.contains(lease.address)))
            .count();
        let size = spans
            .iter()
            .map(|span| span.size())
            .fold(0, u128::saturating_add);
        Ok(u128::try_from(held).is_ok_and(|held| held >= size))
    }
}
