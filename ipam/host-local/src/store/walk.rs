// SPDX-License-Identifier: Apache-2.0
//! A look into every lease file: what the index is made from when it is not to be believed.

use std::fs::{self, DirEntry, File};
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::path::Path;
use std::time::SystemTime;

use super::index::Index;
use super::lease::{self, Lease};
use super::{Boot, Error, Owner};

/// What is in a store's directory.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) leases: Vec<Lease>,
    /// Addresses whose file is empty: a crash or a full disk stopped the reference plugin between
    /// making and writing it.
    pub(super) empty: Vec<IpAddr>,
}

/// Reads all lease files. In which boot a lease was made is taken from the index's record of that
/// very file, else judged by the file's age.
///
/// # Errors
/// When the directory can't be listed. A file that can't be read is a lease without owner.
pub(super) fn read(dir: &Path, index: &Index<'_>, boot: &Boot) -> Result<Contents, Error> {
    let mut contents = Contents::default();
    for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let entry = entry.map_err(Error::io("list", dir))?;
        let name = entry.file_name();
        let Some(address) = name.to_str().and_then(lease::address_of) else {
            continue;
        };
        let lease = match read_file(&entry) {
            Ok((Some(owner), written)) => {
                let boot = boot_of(address, &owner, written, index, boot);
                Lease {
                    address,
                    owner: Some(owner),
                    written,
                    boot,
                }
            }
            Ok((None, _)) => {
                contents.empty.push(address);
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(_) => Lease::without_owner(address),
        };
        contents.leases.push(lease);
    }
    Ok(contents)
}

fn read_file(entry: &DirEntry) -> io::Result<(Option<Owner>, SystemTime)> {
    let mut file = File::open(entry.path())?;
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    Ok((Owner::parse(&content), file.metadata()?.modified()?))
}

fn boot_of(
    address: IpAddr,
    owner: &Owner,
    written: SystemTime,
    index: &Index<'_>,
    boot: &Boot,
) -> Option<String> {
    let recorded = index.leases_of(owner).unwrap_or_default();
    match recorded
        .into_iter()
        .find(|lease| lease.address == address && lease.written == written)
    {
        Some(lease) => lease.boot,
        None => (!boot.began_after(written)).then(|| boot.id().to_owned()),
    }
}
