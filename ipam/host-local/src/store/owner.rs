// SPDX-License-Identifier: Apache-2.0
//! Who holds an address, and how a lease file says so.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// The attachment that an address is held by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    /// `CNI_CONTAINERID`.
    pub container_id: String,
    /// `CNI_IFNAME`; absent in files of reference plugins before 0.8, which held the container
    /// alone.
    pub ifname: Option<String>,
}

impl Owner {
    /// An attachment by the two names that make it unique.
    pub fn new(container_id: &str, ifname: &str) -> Self {
        Self {
            container_id: container_id.trim().to_owned(),
            ifname: Some(ifname.to_owned()),
        }
    }

    /// The same container as plugins before 0.8 wrote it.
    pub fn of_old_format(&self) -> Self {
        Self {
            container_id: self.container_id.clone(),
            ifname: None,
        }
    }

    /// What a lease file says: none if it is empty, as a crash of the reference plugin leaves it.
    /// Every other content is an owner, if need be one that no attachment equals.
    pub(super) fn parse(content: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(content);
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        Some(match text.split_once("\r\n") {
            Some((container_id, ifname)) => Self {
                container_id: container_id.to_owned(),
                ifname: Some(ifname.to_owned()),
            },
            None => Self {
                container_id: text.to_owned(),
                ifname: None,
            },
        })
    }

    /// The content of this owner's lease files.
    pub(super) fn to_content(&self) -> String {
        match &self.ifname {
            Some(ifname) => format!("{}\r\n{ifname}", self.container_id),
            None => self.container_id.clone(),
        }
    }

    /// The name of this owner's records in the index: a hash, because container IDs have no limit
    /// of length and file names have.
    pub(super) fn record_name(&self) -> String {
        Sha256::digest(self.to_content())
            .iter()
            .fold(String::new(), |mut name, byte| {
                let _infallible = write!(name, "{byte:02x}");
                name
            })
    }
}
