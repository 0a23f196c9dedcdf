// SPDX-License-Identifier: Apache-2.0
//! The store while its lock is held.

use std::net::IpAddr;

use super::index::Index;
use super::lease::{self, Lease};
use super::stamp::Earlier;
use super::walk;
use super::{Boot, Error, Owner, Store};

/// A store that nobody else changes meanwhile; see [`Store::locked`].
#[derive(Debug)]
pub struct Session<'a> {
    pub(super) store: &'a Store,
    pub(super) index: Index<'a>,
    /// Set while the index agrees with the directory.
    agreed: Option<Earlier>,
    /// Whether the index must be stamped anew.
    changed: bool,
    walks: usize,
}

impl<'a> Session<'a> {
    pub(super) fn begin(store: &'a Store) -> Self {
        let index = Index::new(&store.dir, &store.index, &store.boot);
        let agreed = index.agrees();
        Self {
            store,
            index,
            agreed,
            changed: false,
            walks: 0,
        }
    }

    /// Stamps the index. What went wrong with the index alone costs the next session a walk, and is
    /// no reason for an error in this one.
    pub(super) fn end(self) {
        if self.changed && self.agreed.is_some() {
            let _next_session_walks = self.index.stamp();
        }
    }

    /// How often this session has read the whole directory. None, unless somebody else changed it,
    /// the host was booted, or leases had to be collected.
    pub fn walks(&self) -> usize {
        self.walks
    }

    pub(super) fn boot(&self) -> &'a Boot {
        &self.store.boot
    }

    /// Makes sure that the index can be used.
    pub(super) fn agree(&mut self) -> Result<(), Error> {
        if self.agreed.is_none() {
            self.rebuild()?;
        }
        Ok(())
    }

    pub(super) fn may_hold_earlier(&self) -> bool {
        self.agreed == Some(Earlier::Perhaps)
    }

    /// Notes that the store is being changed, and whether the index was brought up to date.
    pub(super) fn note(&mut self, index: std::io::Result<()>) {
        self.changed = true;
        if index.is_err() {
            self.agreed = None;
        }
    }

    /// Makes the index anew from the directory.
    pub(super) fn rebuild(&mut self) -> Result<(), Error> {
        let leases = self.walk()?;
        self.write_index(&leases)
    }

    pub(super) fn write_index(&mut self, leases: &[Lease]) -> Result<(), Error> {
        self.changed = true;
        self.agreed = None;
        let earlier = leases
            .iter()
            .any(|lease| lease.is_of_earlier_boot(self.boot()));
        let earlier = if earlier {
            Earlier::Perhaps
        } else {
            Earlier::None
        };
        self.index
            .rewrite(leases, earlier)
            .map_err(Error::io("write the index", &self.store.index))?;
        self.agreed = Some(earlier);
        Ok(())
    }

    /// Reads the whole directory, and takes back the addresses whose file a crash left empty as far
    /// as the file system lets it.
    pub(super) fn walk(&mut self) -> Result<Vec<Lease>, Error> {
        self.walks += 1;
        let mut contents = walk::read(&self.store.dir, &self.index, self.boot())?;
        for address in contents.empty {
            self.changed = true;
            if lease::remove(&self.store.dir, address).is_err() {
                contents.leases.push(Lease::without_owner(address));
            }
        }
        Ok(contents.leases)
    }

    /// What an owner holds, by the index as far as the lease files confirm it, else by a walk.
    pub(super) fn leases_of(&mut self, owner: &Owner) -> Result<Vec<Lease>, Error> {
        if let Some(leases) = self.confirmed_leases_of(owner) {
            return Ok(leases);
        }
        let mut leases = self.walk()?;
        let _next_session_walks_again = self.write_index(&leases);
        leases.retain(|lease| lease.owner.as_ref() == Some(owner));
        Ok(leases)
    }

    fn confirmed_leases_of(&self, owner: &Owner) -> Option<Vec<Lease>> {
        self.agreed?;
        let leases = self.index.leases_of(owner).ok()?;
        let is_confirmed = |lease: &Lease| self.holder(lease.address).as_ref() == Some(owner);
        leases.iter().all(is_confirmed).then_some(leases)
    }

    fn holder(&self, address: IpAddr) -> Option<Owner> {
        lease::read(&self.store.dir, address).ok().flatten()
    }
}
