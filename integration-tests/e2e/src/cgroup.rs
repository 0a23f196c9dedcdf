// SPDX-License-Identifier: Apache-2.0
//! A control group for the containers of one runtime, as a kubelet has one for its pods. The node
//! has network and files of its own; control groups are the machine's.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

const ROOT: &str = "/sys/fs/cgroup";

/// The name of a group, which the runtime makes. What is left of it when it is dropped is removed, if
/// nobody is in it any more.
#[derive(Debug)]
pub(crate) struct Cgroup {
    name: String,
}

impl Cgroup {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self {
            name: format!("podwire-lab-{}-{count}", std::process::id()),
        }
    }

    /// Its path from the root of each hierarchy.
    pub(crate) fn path(&self) -> String {
        format!("/{}", self.name)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for hierarchy in hierarchies() {
            remove(&hierarchy.join(&self.name));
        }
    }
}

/// The hierarchies: of version 2 the one, of version 1 one for each controller.
fn hierarchies() -> Vec<PathBuf> {
    let root = Path::new(ROOT);
    if root.join("cgroup.procs").exists() {
        return vec![root.to_owned()];
    }
    let mut below = directories(root);
    below.retain(|path| path.join("cgroup.procs").exists());
    below
}

fn directories(of: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(of).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.is_dir()).collect()
}

/// Removes a group after those below it.
fn remove(group: &Path) {
    for below in directories(group) {
        remove(&below);
    }
    fs::remove_dir(group).ok();
}
