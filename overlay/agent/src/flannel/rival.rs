// SPDX-License-Identifier: Apache-2.0
//! A flanneld that runs still, beside the agent that took its place.
//!
//! An agent in a pod sees no process of another pod's. What it sees is what flanneld does: its rules
//! come back every five seconds, its routes with each node that comes. So it can be suspected, and
//! the quarrel is told in words.

use std::fs;
use std::time::{Duration, Instant};

/// For so long after its last sign it is believed to run: more than the time between two looks at
/// everything.
const MEMORY: Duration = Duration::from_secs(300);
/// Between two looks at all processes of the host, which may be thousands.
const REST: Duration = Duration::from_secs(10);
/// What the kernel calls the process.
const PROCESS: &[u8] = b"flanneld\n";

/// What is known of it.
#[derive(Debug, Default)]
pub(crate) struct Rival {
    /// Whether its rules and routes were replaced by ours once.
    displaced: bool,
    sought: Option<Instant>,
    sign: Option<(Instant, String)>,
}

impl Rival {
    /// What a look found of it and replaced: each a sign, unless it is the first look.
    pub(crate) fn found(&mut self, now: Instant, what: Option<String>) {
        let again = what
            .filter(|_| self.displaced)
            .map(|it| format!("{it} came back"));
        self.displaced = true;
        let sign = self.process(now).or(again);
        if let Some(sign) = sign {
            // The first one stands: another would be the same trouble, told twice.
            let first = self.sign.take().filter(|(when, _)| is_fresh(*when, now));
            self.sign = Some((now, first.map_or(sign, |(_, text)| text)));
        }
    }

    /// What is said of its process, if it is time to look for one and one is seen.
    fn process(&mut self, now: Instant) -> Option<String> {
        let rests = |then| now.duration_since(then) < REST;
        if self.sought.is_some_and(rests) {
            return None;
        }
        self.sought = Some(now);
        process().map(|id| format!("it is process {id}"))
    }

    /// The sentence about it, as long as it is believed to run.
    pub(crate) fn complaint(&self, now: Instant) -> Option<String> {
        let (when, sign) = self.sign.as_ref()?;
        is_fresh(*when, now).then(|| {
            format!(
                "flanneld seems to run still ({sign}), and undoes what podwired does: stop it on this node"
            )
        })
    }
}

fn is_fresh(sign: Instant, now: Instant) -> bool {
    now.duration_since(sign) < MEMORY
}

/// The process in this network namespace, if it can be seen.
fn process() -> Option<String> {
    let own = fs::read_link("/proc/self/ns/net").ok()?;
    let processes = fs::read_dir("/proc").ok()?;
    let mut found = processes.filter_map(|entry| {
        let path = entry.ok()?.path();
        let name = fs::read(path.join("comm")).ok()?;
        let is_it = name == PROCESS && fs::read_link(path.join("ns/net")).ok()? == own;
        is_it.then(|| path.file_name()?.to_str().map(str::to_owned))?
    });
    found.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_is_a_sign_and_what_was_there_first_is_none() {
        let mut rival = Rival::default();
        let now = Instant::now();
        let rules = || Some("chain FLANNEL-FWD of table ip filter".to_owned());
        rival.found(now, rules());
        assert_eq!(rival.complaint(now), None);
        rival.found(now, None);
        assert_eq!(rival.complaint(now), None);
        rival.found(now, rules());
        let complaint = rival.complaint(now).unwrap();
        assert!(
            complaint.contains("FLANNEL-FWD of table ip filter came back"),
            "{complaint}"
        );
        // It is the same sentence for a while, and is not taken back and said again.
        rival.found(now, Some("2 of its routes".to_owned()));
        assert_eq!(rival.complaint(now + MEMORY / 2), Some(complaint));
        assert_eq!(rival.complaint(now + MEMORY), None);
    }
}
