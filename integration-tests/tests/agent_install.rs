// SPDX-License-Identifier: Apache-2.0
//! `podwired install`: executables get into a directory of the host whole, while they are in use.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use integration_tests::binaries::plugins;
use integration_tests::{Node, Outcome, podwired};
use nix::mount::{MsFlags, mount};
use tempfile::TempDir;

/// A node, and two directories that it shares with the test.
struct Host {
    node: Node,
    directory: TempDir,
}

impl Host {
    fn new() -> Self {
        let host = Self {
            node: Node::new(),
            directory: tempfile::tempdir().expect("there is room for files"),
        };
        for directory in ["from", "to"] {
            fs::create_dir(host.path(directory)).expect("it is new");
        }
        host
    }

    fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    fn add(&self, path: &str, content: &str, mode: u32) {
        let path = self.path(path);
        fs::write(&path, content).expect("it can be written");
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
    }

    fn install(&self) -> Outcome {
        let [from, to] = ["from", "to"].map(|path| self.path(path).display().to_string());
        podwired(&self.node, &["install", "--from", &from, "--to", &to])
    }

    /// The names in the target directory.
    fn names(&self) -> Vec<String> {
        self.node.list(self.path("to"))
    }
}

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).expect("it is there").ino()
}

#[test]
fn executables_are_installed_and_equal_ones_left() {
    let host = Host::new();
    host.add("from/bridge", "new", 0o700);
    host.add("from/vxlan", "same", 0o755);
    host.add("from/README", "no executable", 0o644);
    fs::create_dir(host.path("from/directory")).unwrap();
    symlink("/bin/sh", host.path("from/link")).unwrap();
    host.add("to/vxlan", "same", 0o755);
    host.add("to/bridge", "old", 0o755);
    host.add("to/macvlan", "another's", 0o755);
    let untouched = inode(&host.path("to/vxlan"));
    let outcome = host.install();
    assert!(outcome.success(), "{outcome}");
    let [bridge, vxlan] = ["to/bridge", "to/vxlan"].map(|path| host.path(path));
    let said = format!(
        "installed {}\n{} is up to date\n",
        bridge.display(),
        vxlan.display()
    );
    assert_eq!(outcome.stdout, said);
    assert_eq!(host.names(), ["bridge", "macvlan", "vxlan"]);
    assert_eq!(fs::read_to_string(&bridge).unwrap(), "new");
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
    assert_eq!((mode(&bridge), inode(&vxlan)), (0o755, untouched));
    let installed = inode(&bridge);
    assert!(host.install().success());
    assert_eq!(inode(&bridge), installed);
    // An executable that not all can execute is none.
    fs::set_permissions(&bridge, Permissions::from_mode(0o700)).unwrap();
    assert!(host.install().success());
    assert_eq!(mode(&bridge), 0o755);
}

/// An executable that runs cannot be written to, and what stands at its place is another file.
#[test]
fn an_executable_that_runs_is_replaced() {
    let host = Host::new();
    let running = host.path("to/podwired");
    fs::copy("/bin/sleep", &running).unwrap();
    let mut child = Command::new(&running)
        .arg("600")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    fs::copy(plugins().join("podwired"), host.path("from/podwired")).unwrap();
    let outcome = host.install();
    let alive = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(outcome.success() && alive, "{outcome}");
    let [is, wished] = ["to/podwired", "from/podwired"].map(|path| fs::read(host.path(path)));
    assert!(is.unwrap() == wished.unwrap());
}

/// Neither what a killed run left nor what somebody else put there is written to.
#[test]
fn links_are_not_followed() {
    let host = Host::new();
    host.add("from/bridge", "new", 0o755);
    host.add("precious", "precious", 0o644);
    symlink(host.path("precious"), host.path("to/.bridge.podwired-new")).unwrap();
    symlink(host.path("precious"), host.path("to/bridge")).unwrap();
    let outcome = host.install();
    assert!(outcome.success(), "{outcome}");
    assert_eq!(host.names(), ["bridge"]);
    let is = fs::symlink_metadata(host.path("to/bridge")).unwrap();
    assert!(is.is_file());
    let precious = fs::read_to_string(host.path("precious")).unwrap();
    assert_eq!(precious, "precious");
}

#[test]
fn what_cannot_be_is_said_by_file_and_cause() {
    let host = Host::new();
    let said = |host: &Host, words: [&str; 2]| {
        let outcome = host.install();
        assert!(!outcome.success(), "{outcome}");
        let told = words.iter().all(|word| outcome.stderr.contains(word));
        assert!(told, "{outcome}");
    };
    said(&host, ["there is no executable in ", "/from"]);
    // One that cannot be replaced does not keep the others from it.
    host.add("from/bridge", "new", 0o755);
    host.add("from/vxlan", "new", 0o755);
    fs::create_dir(host.path("to/bridge")).unwrap();
    said(&host, ["cannot install ", "to/bridge: Is a directory"]);
    assert_eq!(host.names(), ["bridge", "vxlan"]);
    fs::remove_dir(host.path("to/bridge")).unwrap();
    let to = host.path("to");
    host.node.run(|| {
        let to = to.as_path();
        let bind = MsFlags::MS_BIND;
        mount(Some(to), to, None::<&str>, bind, None::<&str>).unwrap();
        let flags = bind | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(None::<&str>, to, None::<&str>, flags, None::<&str>).unwrap();
    });
    said(&host, ["to/bridge: ", "Read-only file system"]);
    drop(host);
    let host = Host::new();
    host.add("from/bridge", "new", 0o755);
    fs::remove_dir(host.path("to")).unwrap();
    said(&host, ["cannot install into ", "No such file or directory"]);
    host.add("to", "a file", 0o644);
    said(&host, ["cannot install into ", "Not a directory"]);
    fs::remove_file(host.path("from/bridge")).unwrap();
    fs::remove_dir(host.path("from")).unwrap();
    said(&host, ["cannot read the executables in ", "/from"]);
}
