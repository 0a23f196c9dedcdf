// SPDX-License-Identifier: Apache-2.0
//! A file that remembers what is known: a node that starts while the API server is away networks
//! its pods by it.

mod replace;

use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use topology::Node;
use tracing::warn;

use crate::annotations::Prefix;
use crate::object::OwnObject;
use crate::shared::Shared;
use crate::snapshot::Origin;
use crate::store::Store;
use crate::troubles::Wish;

/// The form of the file.
const VERSION: u32 = 1;
/// Changes that come within this time are written as one.
const BURST: Duration = Duration::from_millis(500);
/// A file that cannot be written is tried again after this time.
const RETRY: Duration = Duration::from_secs(5);

/// The file.
#[derive(Debug)]
pub(crate) struct Cache {
    path: PathBuf,
    /// The hash of what was written last; held while it is written.
    written: Mutex<Option<u64>>,
}

/// What the file has.
#[derive(Serialize)]
struct Content<'a> {
    version: u32,
    node: &'a str,
    prefix: String,
    own: Option<&'a OwnObject>,
    nodes: Vec<Member<&'a str>>,
}

#[derive(Serialize, Deserialize)]
struct Member<Uid> {
    uid: Uid,
    /// [`Node::since`], which is not among the keys of a list of nodes.
    #[serde(default)]
    since: u64,
    node: Node,
}

/// What every form of the file has.
#[derive(Deserialize)]
struct Form {
    version: u32,
}

#[derive(Deserialize)]
struct Remembered {
    node: String,
    prefix: String,
    own: Option<OwnObject>,
    nodes: Vec<Member<Box<str>>>,
}

/// Why a file that remembers a cluster's nodes is of no use.
#[derive(Debug, thiserror::Error)]
pub enum Useless {
    /// It cannot be read at all.
    #[error("{0}")]
    Unreadable(#[from] io::Error),
    /// Its content is something else.
    #[error("it is not what this program writes: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It was written by another release.
    #[error("it is of version {0}, not {VERSION}")]
    Version(u32),
    /// It was written for another node.
    #[error("it is about node {0}")]
    OtherNode(String),
    /// It was written by other annotations.
    #[error("it is about annotations with the prefix {0}")]
    OtherPrefix(String),
}

/// The other nodes that a cache file remembers.
///
/// # Errors
/// When the file cannot be read, or is no such file of this release.
pub fn remembered(path: &Path) -> Result<Vec<Node>, Useless> {
    let nodes = parse(path)?.nodes.into_iter();
    Ok(nodes.map(|member| member.known().1).collect())
}

impl<Uid> Member<Uid> {
    fn known(self) -> (Uid, Node) {
        let node = Node {
            since: self.since,
            ..self.node
        };
        (self.uid, node)
    }
}

impl Cache {
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self {
            path,
            written: Mutex::new(None),
        }
    }

    /// Fills a store with what the file has. A file that is of no use is as good as none.
    pub(crate) fn recall(&self, store: &mut Store) {
        match read(&self.path, store) {
            Ok(remembered) => {
                let nodes = remembered.nodes.into_iter();
                store.remember(nodes.map(Member::known), remembered.own);
            }
            Err(Useless::Unreadable(error)) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => warn!(
                "the nodes remembered in {} are ignored: {error}",
                self.path.display()
            ),
        }
    }

    /// Makes the file what a store knows, if it knows anything that can be believed.
    pub(crate) fn write(&self, content: Option<Vec<u8>>) -> io::Result<()> {
        let Some(content) = content else {
            return Ok(());
        };
        let mut hasher = DefaultHasher::new();
        hasher.write(&content);
        let hash = Some(hasher.finish());
        let mut written = self
            .written
            .lock()
            .expect("nothing panics while it writes the file");
        if *written != hash {
            replace::replace(&self.path, &content)?;
            *written = hash;
        }
        Ok(())
    }
}

/// Keeps the file equal to what is known.
pub(crate) async fn keep(shared: &Shared, cache: Arc<Cache>) {
    let mut told = shared.hear();
    let mut failed = false;
    loop {
        tokio::select! {
            changed = told.changed() => if changed.is_err() { return },
            () = sleep(RETRY), if failed => {}
        }
        sleep(BURST).await;
        told.borrow_and_update();
        let content = content(&shared.store());
        let writer = Arc::clone(&cache);
        let written = spawn_blocking(move || writer.write(content)).await;
        let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
        failed = written.is_err();
        match written {
            Ok(()) => shared.fulfilled(Wish::Remember),
            Err(error) => {
                let path = cache.path.display();
                let sentence = format!("cannot remember the nodes in {path}: {error}");
                shared.trouble(Wish::Remember, &sentence);
            }
        }
    }
}

/// What the file should have; none as long as nothing can be believed.
pub(crate) fn content(store: &Store) -> Option<Vec<u8>> {
    if store.origin() == Origin::Nothing {
        return None;
    }
    let nodes = store.memorable().map(|(uid, node)| Member {
        uid,
        since: node.since,
        node,
    });
    let content = Content {
        version: VERSION,
        node: store.own_name(),
        prefix: store.prefix().to_string(),
        own: store.own_object(),
        nodes: nodes.collect(),
    };
    Some(serde_json::to_vec(&content).expect("all keys are texts"))
}

fn parse(path: &Path) -> Result<Remembered, Useless> {
    let content = std::fs::read(path)?;
    let Form { version } = serde_json::from_slice(&content)?;
    if version != VERSION {
        return Err(Useless::Version(version));
    }
    Ok(serde_json::from_slice(&content)?)
}

fn read(path: &Path, store: &Store) -> Result<Remembered, Useless> {
    let remembered = parse(path)?;
    if remembered.node != store.own_name() {
        return Err(Useless::OtherNode(remembered.node));
    }
    let prefix: &Prefix = store.prefix();
    if remembered.prefix != prefix.to_string() {
        return Err(Useless::OtherPrefix(remembered.prefix));
    }
    Ok(remembered)
}

#[cfg(test)]
mod tests;
