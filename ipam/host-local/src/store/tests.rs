// SPDX-License-Identifier: Apache-2.0

mod boots;
mod damage;
mod fuzz;
mod model;
mod scale;
mod sharing;

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use tempfile::TempDir;

use super::{Boot, Error, Owner, Session, Store, Wish};
use crate::ranges::{Pool, RangeSet};

const LIMIT: Duration = Duration::from_secs(60);

/// A data directory with a store for network `net` in it.
struct Host {
    // Dropped first.
    _memory: Option<Memory>,
    dir: TempDir,
    store: Store,
}

impl Host {
    fn new() -> Self {
        Self::with(None, tempfile::tempdir().unwrap())
    }

    /// One whose directory is in memory, for a number of files that would keep a disk busy.
    fn in_memory() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::with(Some(Memory::mount(dir.path())), dir)
    }

    fn with(memory: Option<Memory>, dir: TempDir) -> Self {
        let store = Store::new(dir.path(), "net", this_boot()).unwrap();
        store.create().unwrap();
        Self {
            _memory: memory,
            dir,
            store,
        }
    }

    /// The same directory after the host was booted again; what is there becomes a day old.
    fn boot_again(&mut self, id: &str) {
        for entry in fs::read_dir(self.path("")).unwrap() {
            let file = fs::File::open(entry.unwrap().path()).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_hours(24))
                .unwrap();
        }
        let since = SystemTime::now() - Duration::from_mins(1);
        self.store = Store::new(self.dir.path(), "net", Boot::new(id, since)).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("net").join(name)
    }

    fn index(&self) -> PathBuf {
        self.dir.path().join(".podwire/net")
    }

    fn session<T>(&self, work: impl FnOnce(&mut Session<'_>) -> Result<T, Error>) -> (T, usize) {
        self.try_session(work).unwrap()
    }

    /// What a session answers, and how often it had to read the whole directory.
    fn try_session<T>(
        &self,
        work: impl FnOnce(&mut Session<'_>) -> Result<T, Error>,
    ) -> Result<(T, usize), Error> {
        self.store
            .locked(LIMIT, |session| Ok((work(session)?, session.walks())))
    }

    fn allocate(&self, name: &str, set: &RangeSet) -> Result<IpAddr, Error> {
        let wish = Wish {
            set,
            requested: None,
        };
        self.try_session(|session| session.allocate(&owner(name), &[wish]))
            .map(|(made, _)| made[0])
    }

    fn request(&self, name: &str, set: &RangeSet, address: &str) -> Result<IpAddr, Error> {
        let wish = Wish {
            set,
            requested: Some(ip(address)),
        };
        self.try_session(|session| session.allocate(&owner(name), &[wish]))
            .map(|(made, _)| made[0])
    }

    fn release(&self, name: &str) -> Vec<IpAddr> {
        self.session(|session| session.release(&owner(name))).0
    }

    /// Asserts that one more session finds the index in agreement.
    fn assert_agrees(&self) {
        assert_eq!(self.session(|session| session.agree()).1, 0);
    }

    /// The lease files, by name.
    fn leases(&self) -> Vec<String> {
        let names = names(&self.path(""));
        names
            .into_iter()
            .filter(|name| name.parse::<IpAddr>().is_ok())
            .collect()
    }

    /// What the reference plugin does.
    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }
}

/// A file system in the test's own mount namespace.
struct Memory(PathBuf);

impl Memory {
    fn mount(path: &Path) -> Self {
        mount(
            None::<&str>,
            path,
            Some("tmpfs"),
            MsFlags::empty(),
            None::<&str>,
        )
        .unwrap();
        Self(path.to_owned())
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        umount2(&self.0, MntFlags::MNT_DETACH).unwrap();
    }
}

fn this_boot() -> Boot {
    let since = SystemTime::now() - Duration::from_hours(1);
    Boot::new("11111111-1111-1111-1111-111111111111", since)
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn owner(name: &str) -> Owner {
    Owner::new(name, "eth0")
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn set(subnets: &[&str]) -> RangeSet {
    let pools = subnets
        .iter()
        .map(|subnet| Pool::new(subnet.parse().unwrap(), None, None, None).unwrap());
    RangeSet::new(pools.collect()).unwrap()
}
