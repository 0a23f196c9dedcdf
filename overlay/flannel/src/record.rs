// SPDX-License-Identifier: Apache-2.0
//! The records: what the delegate was called with, for the DEL that takes the attachment away when
//! the configuration is another one by then.
//!
//! flannel's plugin has one file for each container, named by its ID, whose content is the
//! delegate's configuration. So has this one, with the interface's name added to it; a container's
//! further attachments have files of their own, `ID:INTERFACE`. Go back to flannel's plugin, and it
//! finds what it would have written itself.

mod file;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use cni::{Attachment, Code, Error, Network, OrCode};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::fold;

const DATA_DIR: &str = "/var/lib/cni/flannel";

/// The key of the interface's name. A slash is in no plugin's key.
const IFNAME: &str = "podwire/ifname";

/// The directory of records.
#[derive(Debug)]
pub(crate) struct Records {
    directory: PathBuf,
}

/// An attachment's record.
#[derive(Debug, PartialEq)]
pub(crate) struct Record {
    path: PathBuf,
    /// What the delegate was called with; none for what cannot be read, as a crash of flannel's
    /// plugin leaves it, which writes in place.
    pub(crate) configuration: Option<Map<String, Value>>,
}

impl Records {
    /// Those of a network. Nothing else of its configuration is read, so that nothing else of it
    /// can keep DEL from its work.
    pub(crate) fn of(network: &Network) -> Result<Self, Error> {
        #[derive(Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        #[derive(Default)]
        struct Conf {
            data_dir: String,
        }
        let directory = match network.conf::<Conf>()?.data_dir {
            empty if empty.is_empty() => DATA_DIR.into(),
            given => given.into(),
        };
        Ok(Self { directory })
    }

    /// The directory, for messages.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The record of an attachment. One that says no interface's name may be any's.
    pub(crate) fn find(&self, network: &str, of: &Attachment) -> Result<Option<Record>, Error> {
        for path in [self.further(of), self.first(of)] {
            if let Some(record) = read(&path)?.filter(|record| record.may_be(network, of)) {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// Keeps `configuration` for an attachment, and returns what takes that back.
    pub(crate) fn keep(
        &self,
        network: &str,
        of: &Attachment,
        mut configuration: Map<String, Value>,
    ) -> Result<Kept, Error> {
        fold::set(&mut configuration, IFNAME, of.ifname.as_str());
        let first = read(&self.first(of))?;
        let taken = first.is_some_and(|it| it.configuration.is_some() && !it.is(network, of));
        let path = if taken {
            self.further(of)
        } else {
            self.first(of)
        };
        let earlier = read(&path)?.filter(|record| record.is(network, of));
        let record = Record {
            path,
            configuration: Some(configuration),
        };
        record.write()?;
        Ok(Kept { record, earlier })
    }

    /// All of a network, in no order; with each of them whose it is. Leftovers of writers that were
    /// killed are removed on the way.
    pub(crate) fn all(&self, network: &str) -> Result<Vec<(Attachment, Record)>, Error> {
        let wish = || format!("cannot list the records in {:?}", self.directory);
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.or_code(Code::IO, wish())?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.or_code(Code::IO, wish())?;
            if file::remove_if_abandoned(&entry) {
                continue;
            }
            let name = entry.file_name();
            // What is no file of this plugin's cannot be read, and is nobody's.
            let Ok(Some(record)) = read(&entry.path()) else {
                continue;
            };
            if record.network() == Some(network) {
                found.extend(
                    record
                        .attachment(&name.to_string_lossy())
                        .map(|of| (of, record)),
                );
            }
        }
        Ok(found)
    }

    fn first(&self, of: &Attachment) -> PathBuf {
        self.directory.join(&of.container_id)
    }

    /// Neither a container's ID nor an interface's name has a colon.
    fn further(&self, of: &Attachment) -> PathBuf {
        let name = format!("{}:{}", of.container_id, of.ifname);
        self.directory.join(name)
    }
}

fn read(path: &Path) -> Result<Option<Record>, Error> {
    let text = match fs::read(path) {
        // Under a name that no file can have there is none either.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::InvalidFilename
            ) =>
        {
            return Ok(None);
        }
        text => text.or_code(Code::IO, format_args!("cannot read the record {path:?}"))?,
    };
    let configuration = serde_json::from_slice(&text).ok();
    // Without a plugin there is nobody to call.
    let configuration = configuration.filter(|it| fold::text(it, "type").is_some());
    Ok(Some(Record {
        path: path.to_owned(),
        configuration,
    }))
}

impl Record {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn text(&self, key: &str) -> Option<&str> {
        fold::text(self.configuration.as_ref()?, key)
    }

    fn network(&self) -> Option<&str> {
        self.text("name")
    }

    /// Whether it is this attachment's beyond doubt.
    fn is(&self, network: &str, of: &Attachment) -> bool {
        self.network() == Some(network) && self.text(IFNAME) == Some(&of.ifname)
    }

    /// Whether it is, as far as it says. It lies where this attachment's does.
    fn may_be(&self, network: &str, of: &Attachment) -> bool {
        self.network().is_none_or(|name| name == network)
            && self.text(IFNAME).is_none_or(|ifname| ifname == of.ifname)
    }

    /// Whose it is; the interface's name is empty where flannel's plugin has written it.
    fn attachment(&self, file_name: &str) -> Option<Attachment> {
        let ifname = self.text(IFNAME).unwrap_or_default().to_owned();
        let container_id = match file_name.split_once(':') {
            Some((id, of)) if of == ifname => id,
            Some(_) => return None,
            None => file_name,
        };
        Some(Attachment {
            container_id: container_id.to_owned(),
            ifname,
        })
    }

    fn write(&self) -> Result<(), Error> {
        let wish = || format!("cannot write the record {:?}", self.path);
        let text = serde_json::to_vec(&self.configuration).or_code(Code::INTERNAL, wish())?;
        file::replace(&self.path, &text).or_code(Code::IO, wish())
    }

    /// Removes it; one that is gone is no error.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        let removed = match fs::remove_file(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        };
        removed.or_code(
            Code::IO,
            format_args!("cannot remove the record {:?}", self.path),
        )
    }
}

/// A record that was just written, and what was in its place.
#[derive(Debug)]
pub(crate) struct Kept {
    record: Record,
    earlier: Option<Record>,
}

impl Kept {
    /// Puts things back, after an ADD that failed: without a trace if it is `undone`, else as they
    /// were for the attachment that is there already; what nobody has recorded stays recorded.
    pub(crate) fn take_back(&self, undone: bool) -> Result<(), Error> {
        match &self.earlier {
            Some(earlier) => earlier.write(),
            None if undone => self.record.remove(),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
