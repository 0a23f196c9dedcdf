// SPDX-License-Identifier: Apache-2.0
//! Who says which nodes there are.

mod file;
mod kubernetes;
mod trail;

use std::path::PathBuf;

use topology::{Cluster, NodeList, ParseError, Remembered};

use crate::http::Counting;
use crate::standing::Standing;

pub(crate) use file::NodesFile;
pub(crate) use kubernetes::{ClusterNodes, Host};

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

    /// Where it remembers the list for others to see, if it comes from no file.
    fn remembered(&self) -> Option<Remembered> {
        None
    }

    /// Whether it would say something else of this node by now, because the host's links or
    /// addresses have changed since it was read.
    fn is_outdated_by_host(&self) -> bool {
        false
    }

    /// Hears what is believed of the cluster and how it stands with the overlay, and tells others
    /// who want to know.
    fn hear(&mut self, _cluster: &Cluster, _standing: &Standing) {}

    /// What counts its requests, if it makes any.
    fn counting(&self) -> Option<Counting> {
        None
    }

    /// What is wrong with it, although there is a list: a sentence each.
    fn troubles(&self) -> &[String] {
        &[]
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
    #[error(transparent)]
    Cluster(#[from] kubernetes::NotYet),
}
