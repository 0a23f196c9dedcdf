// SPDX-License-Identifier: Apache-2.0
//! Where and when: what is true in one network namespace of one boot says nothing about another.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use net::sysctl;

/// The directory of Podwire's own files; gone with a reboot.
pub(crate) const DIRECTORY: &str = "/run/podwire";

/// This boot, and the network namespace of the process.
pub(crate) fn here() -> Option<String> {
    let boot = sysctl::read("kernel/random/boot_id").ok()?;
    let namespace = fs::metadata("/proc/self/ns/net").ok()?;
    Some(format!("{boot} {}:{}", namespace.dev(), namespace.ino()))
}

/// Writes a file that root alone can write to, whatever umask the runtime has: what it says is
/// taken for true.
pub(crate) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o644);
    options.open(path)?.write_all(content)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use nix::sys::stat::{Mode, umask};

    use super::*;

    #[test]
    fn nobody_else_writes_what_is_taken_for_true() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let before = umask(Mode::empty());
        let written = write(&path, b"true");
        umask(before);
        written.unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
    }
}
