// SPDX-License-Identifier: Apache-2.0
//! A file that only its owner reads, and that has all of its content or the one before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Makes `content` the content of a file, in a directory that is made if need be.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let name = path.file_name();
    let name = name.ok_or_else(|| io::Error::other("it is not the path of a file"))?;
    let new = path.with_file_name(format!(".{}.new", name.to_string_lossy()));
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(directory)?;
    let written = write(&new, content).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        fs::remove_file(&new).ok();
    }
    written?;
    File::open(directory)?.sync_all()
}

/// Writes a file that was not there: one that was left over may be somebody else's.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}
