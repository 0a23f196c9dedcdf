// SPDX-License-Identifier: Apache-2.0
//! What would otherwise take a look into every lease file: an owner's addresses, and free ones.
//!
//! A record is a symbolic link that points nowhere: its name is the owner and a number, its target
//! what the owner holds. A link is made whole by one system call, needs no block on the disk, and
//! nobody can change it without changing its directory's times.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::block::{self, Block};
use super::lease::Lease;
use super::stamp::{self, Earlier};
use super::{Boot, Owner};
use crate::ranges::Span;

/// The index of a store.
#[derive(Debug)]
pub(super) struct Index<'a> {
    store: &'a Path,
    path: &'a Path,
    boot: &'a Boot,
}

impl<'a> Index<'a> {
    pub(super) fn new(store: &'a Path, path: &'a Path, boot: &'a Boot) -> Self {
        Self { store, path, boot }
    }

    /// Whether the index can be used, and if so whether there may be leases of an earlier boot.
    pub(super) fn agrees(&self) -> Option<Earlier> {
        stamp::read(self.store, self.path, self.boot)
    }

    /// States that the index agrees with the store.
    pub(super) fn stamp(&self) -> io::Result<()> {
        stamp::set(self.store, self.path)
    }

    /// Where a lease is written before it appears in the store.
    pub(super) fn draft(&self) -> PathBuf {
        self.path.join("draft")
    }

    /// The first free address of these stretches.
    pub(super) fn first_free(&self, spans: &[Span]) -> io::Result<Option<IpAddr>> {
        for part in spans.iter().copied().flat_map(block::parts) {
            let free = Block::load(&block::path(self.path, part.first))?.first_free(part);
            if free.is_some() {
                return Ok(free);
            }
        }
        Ok(None)
    }

    /// What an owner holds.
    pub(super) fn leases_of(&self, owner: &Owner) -> io::Result<Vec<Lease>> {
        let name = owner.record_name();
        let mut leases = Vec::new();
        loop {
            match fs::read_link(self.record(&name, leases.len())) {
                Ok(target) => {
                    let record = target
                        .to_str()
                        .and_then(|target| parse_record(target, owner));
                    leases.push(record.ok_or_else(|| {
                        io::Error::new(io::ErrorKind::InvalidData, "damaged record")
                    })?);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(leases),
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes a new lease in.
    pub(super) fn add(&self, owner: &Owner, lease: &Lease) -> io::Result<()> {
        self.mark(lease.address, true)?;
        let name = owner.record_name();
        let number = self.leases_of(owner)?.len();
        symlink(to_record(lease), self.record(&name, number))
    }

    /// Forgets some of an owner's leases.
    pub(super) fn remove(&self, owner: &Owner, gone: &[Lease]) -> io::Result<()> {
        for lease in gone {
            self.mark(lease.address, false)?;
        }
        let name = owner.record_name();
        let recorded = self.leases_of(owner)?;
        for number in 0..recorded.len() {
            fs::remove_file(self.record(&name, number))?;
        }
        let kept = recorded
            .iter()
            .filter(|lease| gone.iter().all(|gone| gone.address != lease.address));
        for (number, lease) in kept.enumerate() {
            symlink(to_record(lease), self.record(&name, number))?;
        }
        Ok(())
    }

    /// Makes the index from all leases of the store, writing only what differs.
    pub(super) fn rewrite(&self, leases: &[Lease], earlier: Earlier) -> io::Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(self.path)?;
        let blocks = blocks_of(leases);
        let mut links = records_of(leases);
        links.insert(stamp::LINK.to_owned(), stamp::target(self.boot, earlier));
        for entry in fs::read_dir(self.path)? {
            let entry = entry?;
            let name = entry.file_name().into_string().unwrap_or_default();
            let path = entry.path();
            let wanted = links.get(&name);
            if wanted.is_some_and(|target| {
                fs::read_link(&path).is_ok_and(|is| is.as_os_str() == target.as_str())
            }) {
                links.remove(&name);
            } else if entry.file_type()?.is_dir() {
                fs::remove_dir_all(path)?;
            } else {
                fs::remove_file(path)?;
            }
        }
        for (name, target) in links {
            symlink(target, self.path.join(name))?;
        }
        blocks
            .iter()
            .try_for_each(|(first, block)| block.save(&block::path(self.path, *first)))
    }

    /// Notes that an address is held or free.
    fn mark(&self, address: IpAddr, held: bool) -> io::Result<()> {
        let path = block::path(self.path, address);
        let mut block = Block::load(&path)?;
        if block.set(address, held) {
            block.save(&path)
        } else {
            Ok(())
        }
    }

    fn record(&self, name: &str, number: usize) -> PathBuf {
        self.path.join(format!("{name}.{number}"))
    }
}

fn blocks_of(leases: &[Lease]) -> BTreeMap<IpAddr, Block> {
    let mut blocks = BTreeMap::new();
    for lease in leases {
        let block = blocks
            .entry(block::first_of(lease.address))
            .or_insert_with(Block::empty);
        block.set(lease.address, true);
    }
    blocks
}

fn records_of(leases: &[Lease]) -> BTreeMap<String, String> {
    let mut held: BTreeMap<&Owner, Vec<&Lease>> = BTreeMap::new();
    for lease in leases {
        if let Some(owner) = &lease.owner {
            held.entry(owner).or_default().push(lease);
        }
    }
    let mut records = BTreeMap::new();
    for (owner, mut leases) in held {
        leases.sort_by_key(|lease| lease.address);
        let name = owner.record_name();
        let targets = leases.into_iter().map(to_record).enumerate();
        records.extend(targets.map(|(number, target)| (format!("{name}.{number}"), target)));
    }
    records
}

/// A record's text: the boot, when the lease file was written, and the address.
fn to_record(lease: &Lease) -> String {
    let boot = lease.boot.as_deref().unwrap_or("-");
    format!("{boot} {:x} {}", nanoseconds(lease.written), lease.address)
}

pub(super) fn parse_record(text: &str, owner: &Owner) -> Option<Lease> {
    let mut words = text.split(' ');
    let boot = words.next()?;
    let written = u64::from_str_radix(words.next()?, 16).ok()?;
    let address = words.next()?.parse().ok()?;
    words.next().is_none().then(|| Lease {
        address,
        owner: Some(owner.clone()),
        written: UNIX_EPOCH + std::time::Duration::from_nanos(written),
        boot: (boot != "-").then(|| boot.to_owned()),
    })
}

/// Nanoseconds since 1970; 0 for what is before that or after 2554.
fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(0)
}
