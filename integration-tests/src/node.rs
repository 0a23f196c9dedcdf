// SPDX-License-Identifier: Apache-2.0
//! A node of the laboratory: a network of its own, and files of its own below the directories in
//! which runtimes and plugins keep state. The host sees none of it, and none of it outlives the
//! node.

use std::fs::{self, create_dir_all};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::mount::{MsFlags, mount};

use crate::place::Place;
use crate::pod::Pod;
use crate::processes;

/// Where runtimes, plugins and the agent keep what outlives them.
const STATE: [&str; 2] = ["/var/lib/cni", "/var/lib/podwire"];
/// The laboratory's own files in a node's `/run`.
const LAB: &str = "/run/lab";

/// A machine on which pods are attached. It is a [`Place`]: code and programs run in it.
#[derive(Debug)]
pub struct Node {
    place: Place,
    pods: AtomicU32,
}

impl Node {
    /// A node with `lo` up, empty `/run`, `/var/lib/cni` and `/var/lib/podwire`, and the rest of
    /// the file system as the host has it.
    pub fn new() -> Self {
        let place = Place::new();
        place.run(|| {
            tmpfs(Path::new("/run"));
            for directory in ["/run/netns", LAB] {
                create_dir_all(directory).expect("a fresh /run is writable");
            }
            let state = STATE.map(Path::new);
            if !state.iter().all(|directory| directory.exists()) {
                make_creatable(Path::new("/var/lib"));
            }
            for directory in state {
                create_dir_all(directory).expect("the overlay on /var/lib is writable");
                tmpfs(directory);
            }
        });
        place.set_up("lo");
        Self {
            place,
            pods: AtomicU32::new(0),
        }
    }

    /// A new pod: a named network namespace with nothing but `lo`, which is down.
    pub fn pod(&self, name: &str) -> Pod {
        Pod::new(&self.place, name)
    }

    /// As [`Node::pod`], with a name that no other pod of this node has.
    pub fn any_pod(&self) -> Pod {
        self.pod(&format!("pod{}", self.pods.fetch_add(1, Ordering::Relaxed)))
    }

    /// The content of a file of this node.
    ///
    /// # Panics
    /// When it can't be read.
    pub fn read(&self, path: impl AsRef<Path>) -> String {
        let path = path.as_ref();
        let content = self.run(|| fs::read_to_string(path));
        content.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Writes a file of this node and the directories that lead to it.
    ///
    /// # Panics
    /// When it can't be written.
    pub fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let (path, content) = (path.as_ref(), content.as_ref());
        self.run(|| {
            path.parent()
                .map_or(Ok(()), create_dir_all)
                .expect("the directory can be made");
            fs::write(path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        });
    }

    /// Gives the node an empty `/etc`, for files there that plugins read.
    pub fn empty_etc(&self) {
        self.run(|| tmpfs(Path::new("/etc")));
    }

    /// Makes `/proc/sys` read-only for all that is started here from now on, as it is in a container
    /// that is not privileged.
    ///
    /// # Panics
    /// When it can't be mounted.
    pub fn protect_sysctls(&self) {
        const SYS: &str = "/proc/sys";
        let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
        let read_only = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        // What the host has forbidden stays forbidden.
        let locked = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        self.run(|| {
            let mounted = mount(Some(SYS), SYS, None::<&str>, bind, None::<&str>);
            mounted.expect("a directory can be mounted on itself");
            let flags = read_only | locked;
            let changed = mount(None::<&str>, SYS, None::<&str>, flags, None::<&str>);
            changed.expect("a mount of one's own can be made read-only");
        });
    }

    /// The command lines of the processes that are in the node or one of its pods.
    pub fn processes(&self) -> Vec<String> {
        processes::in_namespaces(&self.place.namespace_links())
    }

    /// The names in a directory of this node, sorted; none when it does not exist.
    pub fn list(&self, directory: impl AsRef<Path>) -> Vec<String> {
        let directory = directory.as_ref();
        self.run(|| {
            let entries = fs::read_dir(directory).into_iter().flatten().flatten();
            let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
            let mut names: Vec<_> = names.collect();
            names.sort();
            names
        })
    }
}

impl Default for Node {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Node {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.place
    }
}

impl Drop for Node {
    /// A node that is given up with a process still in it is a leak of the code under test.
    fn drop(&mut self) {
        let left = self.processes();
        if !std::thread::panicking() {
            assert!(left.is_empty(), "processes are left in the node: {left:?}");
        }
    }
}

/// An empty file system at `directory`, gone with the mount namespace.
fn tmpfs(directory: &Path) {
    mount(
        Some("tmpfs"),
        directory,
        Some("tmpfs"),
        MsFlags::empty(),
        Some("mode=755"),
    )
    .unwrap_or_else(|errno| panic!("no tmpfs at {}: {errno}", directory.display()));
}

/// Lets new entries be made in a directory of the host, as this mount namespace sees it: what is
/// there stays visible, what is new lies in the node's `/run`.
fn make_creatable(directory: &Path) {
    let [upper, work] = ["upper", "work"].map(|name| PathBuf::from(LAB).join(name));
    for path in [&upper, &work] {
        create_dir_all(path).expect("a fresh /run is writable");
    }
    let options = format!(
        "lowerdir={},upperdir={},workdir={},userxattr",
        directory.display(),
        upper.display(),
        work.display()
    );
    mount(
        Some("overlay"),
        directory,
        Some("overlay"),
        MsFlags::empty(),
        Some(&*options),
    )
    .unwrap_or_else(|errno| panic!("no overlay on {}: {errno}", directory.display()));
}
