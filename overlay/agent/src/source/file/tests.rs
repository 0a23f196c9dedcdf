// SPDX-License-Identifier: Apache-2.0
//! The ways in which a file becomes another one, with a real inotify.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);
/// Shorter than `POLL`, and long for a notification.
const BRIEFLY: Duration = Duration::from_millis(300);

/// A source on its way through a test.
struct Watched {
    directory: tempfile::TempDir,
    runtime: Runtime,
    source: NodesFile,
}

impl Watched {
    /// Of a file `name` in a fresh directory, which `prepare` fills.
    fn new(name: &str, prepare: impl FnOnce(&Path)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        prepare(directory.path());
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let source = runtime.block_on(async { NodesFile::new(&directory.path().join(name)) });
        let mut watched = Self {
            directory,
            runtime,
            source: source.unwrap(),
        };
        assert!(
            watched.changed(),
            "before the first reading there may be a list"
        );
        watched
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn changes_within(&mut self, limit: Duration) -> bool {
        let Self {
            runtime, source, ..
        } = self;
        runtime.block_on(async { timeout(limit, source.changed()).await.is_ok() })
    }

    fn changed(&mut self) -> bool {
        self.changes_within(PATIENCE)
    }

    /// The names of the nodes in the list, or the error.
    fn read(&mut self) -> Result<Vec<String>, String> {
        let list = self.runtime.block_on(self.source.read());
        let list = list.map_err(|error| error.to_string())?;
        let nodes = list.expect("a file always says something").nodes;
        Ok(nodes.into_iter().map(|node| node.name).collect())
    }

    /// Waits for a change until the list is that of one node.
    fn becomes(&mut self, name: &str) {
        while self.read().ok().as_deref() != Some(&[name.to_owned()]) {
            assert!(self.changed(), "the list never is that of {name}");
        }
        assert!(!self.changes_within(BRIEFLY), "a change that is none");
    }
}

fn list(name: &str) -> String {
    format!(r#"[{{"name": "{name}", "underlay": "192.0.2.1"}}]"#)
}

#[test]
fn a_file_written_in_place() {
    let mut watched = Watched::new("nodes.json", |path| {
        fs::write(path.join("nodes.json"), list("one")).unwrap();
    });
    watched.becomes("one");
    let path = watched.path("nodes.json");
    // Many times within a tick of the clock, and of the same length.
    for name in ["two", "six", "ten"] {
        fs::write(&path, list(name)).unwrap();
        watched.becomes(name);
    }
}

#[test]
fn a_file_that_is_half_written_is_read_when_its_writer_closes_it() {
    let mut watched = Watched::new("nodes.json", |path| {
        fs::write(path.join("nodes.json"), list("one")).unwrap();
    });
    watched.becomes("one");
    let content = list("two");
    let mut file = File::create(watched.path("nodes.json")).unwrap();
    file.write_all(&content.as_bytes()[..20]).unwrap();
    assert!(watched.read().is_err());
    file.write_all(&content.as_bytes()[20..]).unwrap();
    drop(file);
    watched.becomes("two");
}

#[test]
fn a_file_replaced_by_rename_removed_and_made_again() {
    let mut watched = Watched::new("nodes.json", |path| {
        fs::write(path.join("nodes.json"), list("one")).unwrap();
    });
    watched.becomes("one");
    let path = watched.path("nodes.json");
    for name in ["two", "six"] {
        fs::write(watched.path("new"), list(name)).unwrap();
        fs::rename(watched.path("new"), &path).unwrap();
        watched.becomes(name);
    }
    fs::remove_file(&path).unwrap();
    assert!(watched.changed());
    let error = watched.read().unwrap_err();
    assert!(
        error.starts_with(&format!("cannot read {}: ", path.display())),
        "{error}"
    );
    assert!(!watched.changes_within(BRIEFLY));
    fs::write(&path, list("ten")).unwrap();
    watched.becomes("ten");
}

#[test]
fn a_mounted_configmap() {
    let mut watched = Watched::new("nodes.json", |path| {
        fs::create_dir(path.join("..1")).unwrap();
        fs::write(path.join("..1/nodes.json"), list("one")).unwrap();
        symlink("..1", path.join("..data")).unwrap();
        symlink("..data/nodes.json", path.join("nodes.json")).unwrap();
    });
    watched.becomes("one");
    for (version, name) in [(2, "two"), (3, "six")] {
        // As kubelet's atomic writer does it.
        let new = format!("..{version}");
        fs::create_dir(watched.path(&new)).unwrap();
        fs::write(watched.path(&new).join("nodes.json"), list(name)).unwrap();
        symlink(&new, watched.path("..data_tmp")).unwrap();
        fs::rename(watched.path("..data_tmp"), watched.path("..data")).unwrap();
        fs::remove_dir_all(watched.path(&format!("..{}", version - 1))).unwrap();
        watched.becomes(name);
    }
}

#[test]
fn a_directory_that_is_made_removed_and_made_again() {
    let mut watched = Watched::new("etc/podwire/nodes.json", |_| ());
    assert!(watched.read().is_err());
    let (etc, podwire) = (watched.path("etc"), watched.path("etc/podwire"));
    for name in ["one", "two"] {
        fs::create_dir_all(&podwire).unwrap();
        fs::write(podwire.join("nodes.json"), list(name)).unwrap();
        watched.becomes(name);
        fs::remove_dir_all(&etc).unwrap();
        assert!(watched.changed() && watched.read().is_err());
    }
    // Another directory in its place.
    fs::create_dir_all(&podwire).unwrap();
    fs::write(podwire.join("nodes.json"), list("six")).unwrap();
    watched.becomes("six");
    fs::create_dir(watched.path("other")).unwrap();
    fs::write(watched.path("other/nodes.json"), list("ten")).unwrap();
    fs::rename(&podwire, watched.path("old")).unwrap();
    fs::rename(watched.path("other"), &podwire).unwrap();
    watched.becomes("ten");
}

#[test]
fn what_is_no_file_is_refused_and_not_waited_for() {
    for (name, expected) in [
        ("directory", "not a regular file"),
        ("fifo", "not a regular file"),
    ] {
        let mut watched = Watched::new(name, |path| match name {
            "fifo" => nix::unistd::mkfifo(&path.join(name), nix::sys::stat::Mode::S_IRWXU).unwrap(),
            _ => fs::create_dir(path.join(name)).unwrap(),
        });
        let error = watched.read().unwrap_err();
        assert!(error.contains(expected), "{error}");
        assert!(!watched.changes_within(BRIEFLY));
    }
}

#[test]
fn other_files_of_the_directory_do_not_matter() {
    let mut watched = Watched::new("nodes.json", |path| {
        fs::write(path.join("nodes.json"), list("one")).unwrap();
    });
    watched.becomes("one");
    fs::write(watched.path("other.json"), list("two")).unwrap();
    fs::remove_file(watched.path("other.json")).unwrap();
    assert!(!watched.changes_within(BRIEFLY));
}
