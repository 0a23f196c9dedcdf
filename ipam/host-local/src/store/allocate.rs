// SPDX-License-Identifier: Apache-2.0
//! Handing addresses out.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::lease::{self, Lease};
use super::{Error, Owner, Session};
use crate::ranges::RangeSet;

/// One address out of a set.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// Where the address comes from.
    pub set: &'a RangeSet,
    /// The only address that will do, if there is one.
    pub requested: Option<IpAddr>,
}

impl Session<'_> {
    /// Hands out an address per wish, or none at all.
    ///
    /// # Errors
    /// [`Error::Wish`] with the position of the wish that failed, and why: the owner has an address
    /// of the set already, the requested one is not to be had, or all are held.
    pub fn allocate(&mut self, owner: &Owner, wishes: &[Wish<'_>]) -> Result<Vec<IpAddr>, Error> {
        let mut made: Vec<Lease> = Vec::new();
        for (number, wish) in wishes.iter().enumerate() {
            match self.allocate_one(owner, number, *wish) {
                Ok(lease) => made.push(lease),
                Err(cause) => {
                    let _the_cause_counts = self.remove(owner, &made);
                    return Err(Error::Wish {
                        number,
                        cause: Box::new(cause),
                    });
                }
            }
        }
        Ok(made.iter().map(|lease| lease.address).collect())
    }

    fn allocate_one(
        &mut self,
        owner: &Owner,
        number: usize,
        wish: Wish<'_>,
    ) -> Result<Lease, Error> {
        self.agree()?;
        self.refuse_duplicate(owner, wish.set)?;
        match wish.requested {
            Some(address) => self.allocate_requested(owner, number, wish.set, address),
            None => self.allocate_next(owner, number, wish.set),
        }
    }

    /// An attachment has one address of a set. One that it was given in an earlier boot, as a
    /// container that keeps its ID across boots may, is taken back.
    fn refuse_duplicate(&mut self, owner: &Owner, set: &RangeSet) -> Result<(), Error> {
        for owner in [owner, &owner.of_old_format()] {
            let mut leases = self.leases_of(owner)?;
            leases.retain(|lease| set.contains(lease.address));
            if leases
                .iter()
                .any(|lease| lease.is_of_earlier_boot(self.boot()))
            {
                self.sweep_earlier()?;
                leases.retain(|lease| !lease.is_of_earlier_boot(self.boot()));
            }
            if let Some(Lease { address, .. }) = leases.first() {
                let container_id = owner.container_id.clone();
                return Err(Error::Duplicate {
                    address: *address,
                    container_id,
                });
            }
        }
        Ok(())
    }

    fn allocate_requested(
        &mut self,
        owner: &Owner,
        number: usize,
        set: &RangeSet,
        address: IpAddr,
    ) -> Result<Lease, Error> {
        let Some(pool) = set.pool_of(address) else {
            return Err(Error::Outside {
                address,
                set: set.to_string(),
            });
        };
        if address == pool.gateway() {
            return Err(Error::Gateway(address));
        }
        if let Some(lease) = self.grant(owner, number, address)? {
            return Ok(lease);
        }
        if self.may_hold_earlier() {
            self.sweep_earlier()?;
            if let Some(lease) = self.grant(owner, number, address)? {
                return Ok(lease);
            }
        }
        Err(Error::Taken {
            address,
            set: set.to_string(),
        })
    }

    fn allocate_next(
        &mut self,
        owner: &Owner,
        number: usize,
        set: &RangeSet,
    ) -> Result<Lease, Error> {
        let spans = set.spans(last_reserved(&self.last_reserved_path(number)));
        // As the index is, made anew if it is damaged, and without leases of earlier boots.
        for _attempt in 0..3 {
            match self.index.first_free(&spans) {
                Ok(Some(address)) => match self.grant(owner, number, address)? {
                    Some(lease) => return Ok(lease),
                    None => self.rebuild()?,
                },
                Ok(None) if self.may_hold_earlier() => self.sweep_earlier()?,
                Ok(None) => return Err(Error::Exhausted(set.to_string())),
                Err(_) => self.rebuild()?,
            }
        }
        Err(Error::io("use the index", &self.store.index)(damaged()))
    }

    /// Gives the owner this address: none if it is held.
    fn grant(
        &mut self,
        owner: &Owner,
        number: usize,
        address: IpAddr,
    ) -> Result<Option<Lease>, Error> {
        self.agree()?;
        self.note(Ok(()));
        let Some(written) = lease::create(&self.store.dir, &self.index.draft(), address, owner)?
        else {
            return Ok(None);
        };
        let boot = Some(self.boot().id().to_owned());
        let lease = Lease {
            address,
            owner: Some(owner.clone()),
            written,
            boot,
        };
        let indexed = self.index.add(owner, &lease);
        self.note(indexed);
        let path = self.last_reserved_path(number);
        if let Err(cause) = save_last_reserved(&path, address) {
            let _the_cause_counts = self.remove(owner, &[lease]);
            return Err(Error::io("write", &path)(cause));
        }
        Ok(Some(lease))
    }

    fn last_reserved_path(&self, number: usize) -> PathBuf {
        self.store.dir.join(format!("last_reserved_ip.{number}"))
    }
}

fn damaged() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "it does not agree with the store it was made from",
    )
}

/// The address that was handed out last; none if that is not known.
fn last_reserved(path: &Path) -> Option<IpAddr> {
    let text = fs::read_to_string(path).ok()?;
    text.parse()
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

/// Notes which address was handed out last, in place as the reference plugin does, but without
/// emptying the file before: ext4 writes a file out that was emptied when it is closed, which
/// costs more than all the rest of an allocation.
fn save_last_reserved(path: &Path, address: IpAddr) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    let text = address.to_string();
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)
}
