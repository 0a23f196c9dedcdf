// SPDX-License-Identifier: Apache-2.0
//! One address's file: its name is the address, its content the owner.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Boot, Error, Owner};

/// An address that is not free.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) address: IpAddr,
    /// None when the file can't be read as one: nobody will give the address back.
    pub(super) owner: Option<Owner>,
    /// When the file was written.
    pub(super) written: SystemTime,
    /// The boot in which the lease was made; none for an earlier one that is not known.
    pub(super) boot: Option<String>,
}

impl Lease {
    /// What is in the way of an address, and can't be read or taken away.
    pub(super) fn without_owner(address: IpAddr) -> Self {
        Self {
            address,
            owner: None,
            written: SystemTime::UNIX_EPOCH,
            boot: None,
        }
    }

    pub(super) fn is_of_earlier_boot(&self, boot: &Boot) -> bool {
        self.owner.is_some() && self.boot.as_deref() != Some(boot.id())
    }
}

/// The path of an address's file, whose name is the address in its canonical form (RFC 5952).
pub(super) fn path(dir: &Path, address: IpAddr) -> PathBuf {
    dir.join(address.to_string())
}

/// The address that a file is named after, if its name is one in canonical form.
pub(super) fn address_of(name: &str) -> Option<IpAddr> {
    name.parse()
        .ok()
        .filter(|address: &IpAddr| address.to_string() == name)
}

/// The owner of an address, if it has one.
pub(super) fn read(dir: &Path, address: IpAddr) -> Result<Option<Owner>, Error> {
    let path = path(dir, address);
    match fs::read(&path) {
        Ok(content) => Ok(Owner::parse(&content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read the lease", &path)(error)),
    }
}

/// Makes an address's file, with its content from the first moment on: it is written as `draft` and
/// linked to its place. No fsync(2): what a power failure takes away belonged to sandboxes that
/// went with it, and an empty file that it leaves is taken back.
///
/// # Returns
/// When it was written; none if the address is held already.
pub(super) fn create(
    dir: &Path,
    draft: &Path,
    address: IpAddr,
    owner: &Owner,
) -> Result<Option<SystemTime>, Error> {
    let path = path(dir, address);
    // A draft that a crash left may be linked to a lease: it is removed, never written to.
    remove_if_there(draft).map_err(Error::io("remove", draft))?;
    let written = write_new(draft, owner).map_err(Error::io("write", draft))?;
    let linked = match fs::hard_link(draft, &path) {
        // Another file system, or one without hard links: then as the reference plugin does it.
        Err(error) if has_no_links(&error) => write_new(&path, owner),
        linked => linked.map(|()| written),
    };
    let _harmless = fs::remove_file(draft);
    match linked {
        Ok(written) => Ok(Some(written)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(Error::io("create the lease", &path)(error)),
    }
}

/// Removes an address's file; that it is gone already is as good.
pub(super) fn remove(dir: &Path, address: IpAddr) -> Result<(), Error> {
    let path = path(dir, address);
    remove_if_there(&path).map_err(Error::io("remove the lease", &path))
}

pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn write_new(path: &Path, owner: &Owner) -> io::Result<SystemTime> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let written = file.write_all(owner.to_content().as_bytes());
    written
        .and_then(|()| file.metadata()?.modified())
        .inspect_err(|_| {
            let _the_first_error_counts = fs::remove_file(path);
        })
}

fn has_no_links(error: &io::Error) -> bool {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, TooManyLinks, Unsupported};
    matches!(
        error.kind(),
        CrossesDevices | PermissionDenied | TooManyLinks | Unsupported
    )
}
