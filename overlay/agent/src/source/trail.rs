// SPDX-License-Identifier: Apache-2.0
//! The places on the way to a file at which it can become another one. A file is replaced in its
//! directory; but a ConfigMap's file is a symbolic link through a second one that is replaced,
//! and a directory that is not there yet, or not any more, appears in the one above.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// As many symbolic links as the kernel follows: path_resolution(7).
const MOST_LINKS: usize = 40;

/// Directories in which an entry decides what a path leads to, and the file that it leads to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Trail {
    /// Those that have to be watched, each existing.
    pub(crate) directories: Vec<PathBuf>,
    /// The file, if it is there.
    pub(crate) file: Option<PathBuf>,
}

impl Trail {
    /// Follows an absolute path.
    pub(crate) fn of(path: &Path) -> Self {
        let mut trail = Self::default();
        let mut ahead = components(path);
        let (mut here, mut links) = (PathBuf::from("/"), 0);
        while let Some(name) = ahead.pop_front() {
            let next = here.join(&name);
            let target = fs::read_link(&next).ok();
            let last = ahead.is_empty();
            if target.is_some() || last || !next.is_dir() {
                trail.watch(&here);
            }
            match target {
                Some(_) if links == MOST_LINKS => return trail,
                Some(target) => {
                    links += 1;
                    here = if target.is_absolute() {
                        "/".into()
                    } else {
                        here
                    };
                    for name in components(&target).into_iter().rev() {
                        ahead.push_front(name);
                    }
                }
                None if last && next.exists() => trail.file = Some(next),
                None if !next.is_dir() => return trail,
                None => here = next,
            }
        }
        trail
    }

    fn watch(&mut self, directory: &Path) {
        if !self.directories.iter().any(|known| known == directory) {
            self.directories.push(directory.to_owned());
        }
    }
}

/// The names in a path; `..` is one that the kernel understands.
fn components(path: &Path) -> VecDeque<OsString> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A directory without a symbolic link on the way to it.
    fn directory() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap();
        (directory, path)
    }

    #[test]
    fn a_plain_file_is_watched_in_its_directory() {
        let (_keep, path) = directory();
        let file = path.join("nodes.json");
        let missing = Trail::of(&file);
        assert_eq!(
            missing,
            Trail {
                directories: vec![path.clone()],
                file: None
            }
        );
        fs::write(&file, "").unwrap();
        let trail = Trail::of(&file);
        assert_eq!(
            trail,
            Trail {
                directories: vec![path],
                file: Some(file)
            }
        );
    }

    #[test]
    fn a_directory_that_is_missing_is_watched_for_above() {
        let (_keep, path) = directory();
        let trail = Trail::of(&path.join("a/b/nodes.json"));
        assert_eq!(
            trail,
            Trail {
                directories: vec![path],
                file: None
            }
        );
    }

    #[test]
    fn every_link_of_a_mounted_configmap_is_watched() {
        let (_keep, path) = directory();
        fs::create_dir(path.join("..one")).unwrap();
        fs::write(path.join("..one/nodes.json"), "").unwrap();
        symlink("..one", path.join("..data")).unwrap();
        symlink("..data/nodes.json", path.join("nodes.json")).unwrap();
        let trail = Trail::of(&path.join("nodes.json"));
        assert_eq!(trail.directories, [path.clone(), path.join("..one")]);
        assert_eq!(trail.file, Some(path.join("..one/nodes.json")));
    }

    #[test]
    fn a_directory_behind_a_link_can_be_exchanged_by_it() {
        let (_keep, path) = directory();
        fs::create_dir(path.join("real")).unwrap();
        fs::write(path.join("real/nodes.json"), "").unwrap();
        symlink("real", path.join("link")).unwrap();
        let trail = Trail::of(&path.join("link/nodes.json"));
        assert_eq!(trail.directories, [path.clone(), path.join("real")]);
    }

    #[test]
    fn links_that_lead_nowhere_or_in_a_circle_end() {
        let (_keep, path) = directory();
        symlink("/nowhere/nodes.json", path.join("astray")).unwrap();
        let trail = Trail::of(&path.join("astray"));
        assert_eq!(trail.directories, [path.clone(), PathBuf::from("/")]);
        symlink("circle", path.join("circle")).unwrap();
        let trail = Trail::of(&path.join("circle"));
        assert_eq!(
            trail,
            Trail {
                directories: vec![path],
                file: None
            }
        );
    }
}
