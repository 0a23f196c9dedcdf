// SPDX-License-Identifier: Apache-2.0
//! What is at the path of a network namespace, told by its inode alone: the protocol's own checks
//! need no more, and they run before anything is opened.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What `CNI_NETNS` leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sandbox {
    Gone,
    Own,
    Other,
}

impl Sandbox {
    /// Namespaces are files of one file system, nsfs; a path on another one, such as the file that
    /// is left when its bind mount is gone, leads to none.
    pub(crate) fn at(path: &Path) -> Self {
        let Ok(own) = fs::metadata("/proc/self/ns/net") else {
            return Self::Other;
        };
        match fs::metadata(path) {
            Ok(there) if there.dev() != own.dev() => Self::Gone,
            Ok(there) if there.ino() == own.ino() => Self::Own,
            Ok(_) => Self::Other,
            Err(error) => match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => Self::Gone,
                _ => Self::Other,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_told_from_what_is_none() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let cases = [
            ("/proc/self/ns/net", Sandbox::Own),
            // Any other file of nsfs is some other namespace.
            ("/proc/self/ns/uts", Sandbox::Other),
            ("/proc/self/ns/absent", Sandbox::Gone),
            ("/proc/self/status/net", Sandbox::Gone),
            ("", Sandbox::Gone),
            (file.path().to_str().unwrap(), Sandbox::Gone),
        ];
        for (path, expected) in cases {
            assert_eq!(Sandbox::at(Path::new(path)), expected, "{path}");
        }
    }
}
