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

/// The place of an attachment's backup.
#[derive(Debug)]
pub(crate) struct Backup {
    path: PathBuf,
}

impl Backup {
    /// The place in a directory of backups.
    pub(crate) fn of(directory: &Path, attachment: &Attachment) -> Self {
        let Attachment {
            container_id,
            ifname,
        } = attachment;
        Self {
            path: directory.join(format!("{container_id}_{ifname}.json")),
        }
    }

    /// Keeps `attributes`, and returns what was in that place. A backup of the same attachment is
    /// of a plugin before this one in the chain, or of an ADD that was killed: it knows better.
    pub(crate) fn keep(
        &self,
        attributes: Attributes,
        network: &str,
        attachment: &Attachment,
    ) -> Result<Option<Vec<u8>>, Error> {
        let owner = Some(Owner {
            network: network.to_owned(),
            attachment: Of {
                container_id: attachment.container_id.clone(),
                ifname: attachment.ifname.clone(),
            },
        });
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
            None => self.remove(),
        }
    }

    /// What the interface had before; `None` without a backup. What can't be read says nothing.
    pub(crate) fn read(&self) -> Result<Option<Attributes>, Error> {
        let known = |text: Vec<u8>| content(&text).unwrap_or_default().attributes();
        Ok(self.bytes()?.map(known))
    }

    /// Removes it, with what a writer that was killed has left of it.
    pub(crate) fn remove(&self) -> Result<(), Error> {
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
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename
    )
}

#[cfg(test)]
#[path = "backup_tests.rs"]
mod tests;
