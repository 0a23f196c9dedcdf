// SPDX-License-Identifier: Apache-2.0
//! The state file: written when something changed, and not otherwise.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use topology::State;

use crate::replace::replace;

/// The file, and what it says.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    boot_id: String,
    last: Option<State>,
}

impl StateFile {
    /// Reads what an earlier run left in this boot; all else is as good as nothing.
    pub(crate) fn open(path: &Path, boot_id: String) -> Self {
        let content = fs::read(path).ok();
        let last = content.and_then(|content| State::parse(&content).ok());
        Self {
            path: path.to_owned(),
            last: last.filter(|state| state.boot_id == boot_id),
            boot_id,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What it says.
    pub(crate) fn last(&self) -> Option<&State> {
        self.last.as_ref()
    }

    /// Makes it say this. The times and the boot are this method's to fill in.
    pub(crate) fn put(&mut self, state: State) -> io::Result<()> {
        let now = seconds(SystemTime::now());
        let last = self.last.as_ref();
        let same = last.filter(|last| last.converged == state.converged);
        let state = State {
            since: same.map_or(now, |last| last.since),
            written: last.map_or(now, |last| last.written),
            boot_id: self.boot_id.clone(),
            ..state
        };
        if last == Some(&state) && self.path.exists() {
            return Ok(());
        }
        let state = State {
            written: now,
            ..state
        };
        replace(&self.path, &state.to_json())?;
        self.last = Some(state);
        Ok(())
    }
}

/// The present boot, as the kernel names it.
pub(crate) fn boot_id() -> io::Result<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    Ok(id.trim().to_owned())
}

/// Seconds since 1970.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(converged: bool, peers_programmed: usize) -> State {
        State {
            node: "a".to_owned(),
            devices: vec!["podwire.1".to_owned()],
            pod_mtu: 1450,
            settings: topology::Settings::default(),
            takes_over: false,
            masquerade: None,
            nodes_file: None,
            remembered: None,
            subnet_env: None,
            pod_cidrs: Vec::new(),
            converged,
            since: 0,
            peers_wished: 3,
            peers_programmed,
            differing: 0,
            last_error: None,
            written: 0,
            boot_id: String::new(),
        }
    }

    #[test]
    fn it_is_written_when_something_changed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("overlay.json");
        let mut file = StateFile::open(&path, "this".to_owned());
        assert_eq!(file.last(), None);
        file.put(state(false, 1)).unwrap();
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        let first = file.last().unwrap().clone();
        assert!(first.since > 0 && first.since == first.written && first.boot_id == "this");
        file.put(state(false, 1)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
        file.put(state(false, 2)).unwrap();
        assert_eq!(
            State::parse(&fs::read(&path).unwrap())
                .unwrap()
                .peers_programmed,
            2
        );
        fs::remove_file(&path).unwrap();
        file.put(state(false, 2)).unwrap();
        assert!(path.exists(), "what somebody removed is written again");
    }

    #[test]
    fn since_is_when_converged_changed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("overlay.json");
        let long_ago = State {
            since: 5,
            boot_id: "this".to_owned(),
            ..state(true, 3)
        };
        fs::write(&path, long_ago.to_json()).unwrap();
        let mut file = StateFile::open(&path, "this".to_owned());
        file.put(state(true, 2)).unwrap();
        assert_eq!(file.last().unwrap().since, 5);
        file.put(state(false, 2)).unwrap();
        assert!(file.last().unwrap().since > 5);
        assert_eq!(StateFile::open(&path, "next".to_owned()).last(), None);
    }
}
