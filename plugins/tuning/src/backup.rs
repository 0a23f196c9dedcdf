// SPDX-License-Identifier: Apache-2.0
//! What an interface had before, in a file of the attachment: `CONTAINER-ID_IFNAME.json`, as the
//! reference plugin writes it. To that comes whose it is, under a key that the reference plugin
//! passes over: GC would not know the network otherwise.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use cni::{Attachment, Code, Error, OrCode};
use serde::{Deserialize, Serialize};

use crate::attributes::Attributes;

/// The content of a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Content {
    #[serde(skip_serializing_if = "String::is_empty")]
    mac: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    promisc: Option<bool>,
    #[serde(skip_serializing_if = "is_zero")]
    mtu: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    allmulti: Option<bool>,
    #[serde(rename = "txQLen", skip_serializing_if = "Option::is_none")]
    tx_queue_len: Option<u32>,
    #[serde(rename = "podwire", skip_serializing_if = "Option::is_none")]
    owner: Option<Owner>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Owner {
    network: String,
    #[serde(flatten)]
    attachment: Of,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Of {
    #[serde(rename = "containerID")]
    container_id: String,
    ifname: String,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// An attachment's backup, and its place. Attachments with underscores in their names may share
/// one: `a_b` with `c`, and `a` with `b_c`.
#[derive(Debug)]
pub(crate) struct Backup {
    path: PathBuf,
    owner: Owner,
}

impl Backup {
    /// That of an attachment to `network` in a directory of backups.
    pub(crate) fn of(directory: &Path, network: &str, attachment: &Attachment) -> Self {
        let Attachment {
            container_id,
            ifname,
        } = attachment.clone();
        Self {
            path: directory.join(format!("{container_id}_{ifname}.json")),
            owner: Owner {
                network: network.to_owned(),
                attachment: Of {
                    container_id,
                    ifname,
                },
            },
        }
    }

    /// Keeps `attributes`, and returns what was in that place. A backup of the same attachment is
    /// of a plugin before this one in the chain, or of an ADD that was killed: it knows better.
    pub(crate) fn keep(&self, attributes: Attributes) -> Result<Option<Vec<u8>>, Error> {
        let owner = Some(self.owner.clone());
        let earlier = self.bytes()?;
        let known = earlier.as_deref().and_then(content);
        let known = known.filter(|known| known.owner == owner);
        let known = known.map(|known| known.attributes()).unwrap_or_default();
        let content = Content::of(known.or(attributes), owner);
        let wish = || format!("cannot write the backup {:?}", self.path);
        let text = serde_json::to_vec_pretty(&content).or_code(Code::INTERNAL, wish())?;
        self.write(&text).or_code(Code::IO, wish())?;
        Ok(earlier)
    }

    /// Puts back what [`Backup::keep`] has found.
    pub(crate) fn put_back(&self, earlier: Option<&[u8]>) -> Result<(), Error> {
        let wish = || format!("cannot put back the backup {:?}", self.path);
        match earlier {
            Some(text) => self.write(text).or_code(Code::IO, wish()),
            None => self.remove_files(),
        }
    }

    /// What the interface had before; `None` without a backup of this attachment. What can't be
    /// read says nothing.
    pub(crate) fn read(&self) -> Result<Option<Attributes>, Error> {
        let known = self.bytes()?.map(|text| content(&text).unwrap_or_default());
        let known = known.filter(|known| !self.is_anothers(known));
        Ok(known.map(|known| known.attributes()))
    }

    /// Removes it, with what a writer that was killed has left of it; not one that says that it is
    /// another attachment's.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        let known = self.bytes()?.as_deref().and_then(content);
        match known.is_some_and(|known| self.is_anothers(&known)) {
            true => Ok(()),
            false => self.remove_files(),
        }
    }

    fn is_anothers(&self, content: &Content) -> bool {
        let owner = content.owner.as_ref();
        owner.is_some_and(|owner| *owner != self.owner)
    }

    fn remove_files(&self) -> Result<(), Error> {
        for path in [&self.unfinished(), &self.path] {
            remove(path)?;
        }
        Ok(())
    }

    fn bytes(&self) -> Result<Option<Vec<u8>>, Error> {
        match fs::read(&self.path) {
            Err(error) if is_absent(&error) => Ok(None),
            text => text.map(Some).or_code(
                Code::IO,
                format_args!("cannot read the backup {:?}", self.path),
            ),
        }
    }

    /// The file appears with all of its content or not at all. The directory is on a file system
    /// that does not outlive the node's boot, and neither do the interfaces.
    fn write(&self, text: &[u8]) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or_else(|| Path::new("/"));
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        let new = self.unfinished();
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let written = options.open(&new).and_then(|mut file| file.write_all(text));
        let written = written.and_then(|()| fs::rename(&new, &self.path));
        if written.is_err() {
            fs::remove_file(&new).ok();
        }
        written
    }

    /// No container's ID begins with a dot.
    fn unfinished(&self) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.path.with_file_name(format!(".{name}"))
    }
}

impl Content {
    fn of(attributes: Attributes, owner: Option<Owner>) -> Self {
        let Attributes {
            mac,
            mtu,
            promisc,
            allmulti,
            tx_queue_len,
        } = attributes;
        Self {
            mac: mac.map(|mac| mac.to_string()).unwrap_or_default(),
            promisc,
            mtu: mtu.unwrap_or_default(),
            allmulti,
            tx_queue_len,
            owner,
        }
    }

    fn attributes(&self) -> Attributes {
        Attributes {
            mac: self.mac.parse().ok(),
            mtu: Some(self.mtu).filter(|mtu| *mtu != 0),
            promisc: self.promisc,
            allmulti: self.allmulti,
            tx_queue_len: self.tx_queue_len,
        }
    }
}

/// Removes the backups of a network that are of none of the valid attachments. A backup that does
/// not say its network, as the reference plugin writes it, stays.
pub(crate) fn collect(directory: &Path, network: &str, valid: &[Attachment]) -> Result<(), Error> {
    let wish = || format!("cannot list the backups in {directory:?}");
    let entries = match fs::read_dir(directory) {
        Err(error) if is_absent(&error) => return Ok(()),
        entries => entries.or_code(Code::IO, wish())?,
    };
    let mut failed = Vec::new();
    for entry in entries {
        let path = entry.or_code(Code::IO, wish())?.path();
        let owner = fs::read(&path).ok().as_deref().and_then(content);
        let owner = owner.and_then(|content| content.owner);
        let stale = owner.is_some_and(|owner| {
            let is = |it: &Attachment| owner.attachment.is(it);
            owner.network == network && !valid.iter().any(is)
        });
        if stale {
            failed.extend(remove(&path).err());
        }
    }
    Error::join(failed)
}

impl Of {
    fn is(&self, attachment: &Attachment) -> bool {
        self.container_id == attachment.container_id && self.ifname == attachment.ifname
    }
}

fn content(text: &[u8]) -> Option<Content> {
    serde_json::from_slice(text).ok()
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if is_absent(&error) => Ok(()),
        removed => removed.or_code(Code::IO, format_args!("cannot remove the backup {path:?}")),
    }
}

/// Under a name that no file can have there is none either.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::InvalidFilename
            | ErrorKind::InvalidInput
    )
}

#[cfg(test)]
#[path = "backup_tests.rs"]
mod tests;
