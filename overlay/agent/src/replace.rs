// SPDX-License-Identifier: Apache-2.0
//! Files that appear with all of their content or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Makes `content` the content of a file, in a directory that is made if need be. Readers see the old or the new one, a crash leaves
/// either. The file that is written first has a name that no container runtime takes for a
/// network configuration: it ends neither in `.conf` nor in `.conflist` nor in `.json`.
pub(crate) fn replace(path: &Path, content: &str) -> io::Result<()> {
    let (new, directory) = (new(path)?, directory(path));
    fs::create_dir_all(directory)?;
    let written = write(&new, content).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        fs::remove_file(&new).ok();
    }
    written?;
    File::open(directory)?.sync_all()
}

fn write(path: &Path, content: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()
}

fn new(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name();
    let name = name.ok_or_else(|| io::Error::other("it is not the path of a file"))?;
    Ok(path.with_file_name(format!(".{}.podwired-new", name.to_string_lossy())))
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("net.d/10-podwire.conflist");
        for content in ["one", "another"] {
            replace(&path, content).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        let beside = || fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(beside(), 1);
        // A directory cannot be replaced by a file.
        let taken = path.with_file_name("taken");
        fs::create_dir(&taken).unwrap();
        assert!(replace(&taken, "").is_err());
        assert_eq!(beside(), 2);
    }
}
