// SPDX-License-Identifier: Apache-2.0
//! Whether a configuration and its list are those of an earlier call, told without reading the
//! list.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use serde_json::json;
use sha2::{Digest, Sha256};
use topology::Settings;

use crate::conf::{List, Static};

/// A change is stamped with the time of the kernel's last tick. As soon as that is another one, the
/// next change will show; some ticks more are for file systems that keep less of it, and this for
/// those that keep whole seconds.
const TICK: Duration = Duration::from_millis(20);
const COARSE_TICK: Duration = Duration::from_secs(2);

/// What stands for a configuration and its list; equal ones wish the same.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    /// The digest, in hexadecimal.
    pub(crate) digest: String,
    /// Whether a change of the list right after this would show. It would not while the clock
    /// that stamps the file still has the same tick.
    pub(crate) settled: bool,
}

impl Fingerprint {
    /// None where the list is in a file that is not there.
    pub(crate) fn of(settings: &Settings, given: &Static) -> Option<Self> {
        let (list, settled) = match &given.list {
            List::Inline(nodes) => (json!(nodes), true),
            List::File(path) => {
                let now = clock_gettime(ClockId::CLOCK_REALTIME_COARSE).ok()?;
                let file = fs::metadata(path).ok()?;
                (
                    json!([path, identity(&file)]),
                    is_settled(&file, now.into()),
                )
            }
        };
        // Another release may wish something else by the same list.
        let release = env!("CARGO_PKG_VERSION");
        let whole = json!([release, settings, given.node, list]).to_string();
        let digest = Sha256::digest(whole);
        let digest = digest.iter().map(|octet| format!("{octet:02x}")).collect();
        Some(Self { digest, settled })
    }
}

/// Of these at least one is another after any change of a file or of what its path leads to.
fn identity(file: &Metadata) -> [i128; 7] {
    [
        file.dev().into(),
        file.ino().into(),
        file.size().into(),
        file.mtime().into(),
        file.mtime_nsec().into(),
        file.ctime().into(),
        file.ctime_nsec().into(),
    ]
}

/// Whether it was changed before this time since 1970, and not in the same tick.
fn is_settled(file: &Metadata, now: Duration) -> bool {
    let changed = changed(file);
    let whole_seconds = changed.subsec_nanos() == 0;
    let tick = if whole_seconds { COARSE_TICK } else { TICK };
    now.checked_sub(changed).is_some_and(|age| age > tick)
}

fn changed(file: &Metadata) -> Duration {
    let seconds = u64::try_from(file.ctime()).unwrap_or(0);
    Duration::new(seconds, u32::try_from(file.ctime_nsec()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::Path;
    use std::time::UNIX_EPOCH;

    use super::*;

    fn print(path: &Path, keys: &str) -> Option<Fingerprint> {
        let given = Static {
            node: None,
            list: List::File(path.to_owned()),
        };
        Fingerprint::of(&serde_json::from_str(keys).unwrap(), &given)
    }

    fn digest(path: &Path) -> String {
        print(path, "{}").unwrap().digest
    }

    #[test]
    fn each_way_to_change_a_file_shows() {
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("nodes"), directory.path().join("new"));
        assert_eq!(print(&path, "{}"), None);
        fs::write(&path, "one").unwrap();
        let first = digest(&path);
        assert_eq!(digest(&path), first);
        fs::write(&other, "two").unwrap();
        fs::rename(&other, &path).unwrap();
        let replaced = digest(&path);
        assert_ne!(replaced, first);
        fs::write(&path, "longer").unwrap();
        let written = digest(&path);
        assert_ne!(written, replaced);
        // The size and the time of a change that somebody hides.
        fs::write(&path, "LONGER").unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1))
            .unwrap();
        let hidden = digest(&path);
        assert_ne!(hidden, written);
        fs::write(&other, "LONGER").unwrap();
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        assert_ne!(digest(&path), hidden);
    }

    #[test]
    fn a_file_is_settled_a_tick_after_its_change() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let metadata = file.as_file().metadata().unwrap();
        let changed = changed(&metadata);
        assert!(!is_settled(&metadata, changed));
        assert!(!is_settled(&metadata, changed - Duration::from_secs(60)));
        assert!(is_settled(&metadata, changed + COARSE_TICK + TICK));
    }

    #[test]
    fn settings_and_nodes_count() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let prints = [
            r#"{}"#,
            r#"{"vni": 2}"#,
            r#"{"directRouting": true}"#,
            r#"{"underlay": "eth1"}"#,
            r#"{"network": "10.0.0.0/8"}"#,
        ]
        .map(|keys| print(file.path(), keys).unwrap().digest);
        for (index, one) in prints.iter().enumerate() {
            assert!(!prints[index + 1..].contains(one), "{index}");
        }
    }
}
