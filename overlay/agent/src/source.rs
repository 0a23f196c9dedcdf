// SPDX-License-Identifier: Apache-2.0
//! Who says which nodes there are.

mod file;
mod trail;

use std::path::PathBuf;

use topology::{NodeList, ParseError};

use crate::standing::Standing;

pub(crate) use file::NodesFile;

/// Where the list of nodes comes from.
///
/// It is level-triggered: what is read is the whole list as it is then, and how often it changed
/// before does not matter.
pub(crate) trait Source {
    /// Waits until there may be another list than was last read; before the first reading there
    /// always may. It may be given up at any time and asked again.
    async fn changed(&mut self);

    /// The list as it is now; none while nothing is known yet, and [`Self::changed`] will tell.
    async fn read(&mut self) -> Result<Option<NodeList>, SourceError>;

    /// The file that it comes from, if that is one that others can read as well.
    fn file(&self) -> Option<PathBuf>;

    /// Whether what it says of this node depends on the host's links and addresses, so that it is
    /// to be read again when those change.
    fn depends_on_host(&self) -> bool {
        false
    }

    /// Hears how it stands with the overlay, and tells others who want to know.
    fn hear(&mut self, _standing: &Standing) {}

    /// Why the list may be older than it should be, a sentence.
    fn trouble(&self) -> Option<String> {
        None
    }
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        path: PathBuf,
        error: std::io::Error,
    },
    #[error("{}: {error}", path.display())]
    Malformed { path: PathBuf, error: ParseError },
}
