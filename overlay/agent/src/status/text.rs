// SPDX-License-Identifier: Apache-2.0
//! The status for people.

use std::fmt::Write;

use dataplane::Dropped;

use super::{Status, texts};

impl Status {
    pub(super) fn text(&self) -> String {
        let Self { state, live, .. } = self;
        let mut lines = Lines(String::new());
        let standing = if self.usable() {
            "usable"
        } else {
            "not usable"
        };
        let since = age(self.now.saturating_sub(state.since));
        let word = if state.converged {
            "converged"
        } else {
            "not converged"
        };
        lines.add("overlay", &format!("{standing}, {word} for {since}"));
        lines.add("node", &state.node);
        lines.add("devices", &state.devices.join(", "));
        lines.add("pod MTU", &state.pod_mtu.to_string());
        lines.add("network", &texts(&state.settings.network).join(", "));
        lines.add("pod CIDRs", &texts(&state.pod_cidrs).join(", "));
        let wished = live.wished.unwrap_or(state.peers_wished);
        let programmed = live.programmed.unwrap_or(state.peers_programmed);
        lines.add("peers", &format!("{programmed} of {wished} programmed"));
        match &self.agent {
            Ok(Some(process)) => lines.add("agent", &format!("runs, process {process}")),
            Ok(None) => lines.add("agent", "does not run; nothing is repaired"),
            Err(error) => lines.add("agent", &format!("unknown, its lock is not read: {error}")),
        }
        if let Some(Dropped { strangers, pods }) = live.dropped {
            let text = format!("{strangers} packets of strangers, {pods} of pods");
            lines.add("dropped", &text);
        }
        let sentences = [("differs", &live.differs), ("complaint", &live.complaints)];
        for (label, sentences) in sentences {
            sentences
                .iter()
                .for_each(|sentence| lines.add(label, sentence));
        }
        let errors = [
            ("not ready", &self.not_ready),
            ("last error", &state.last_error),
        ];
        for (label, error) in errors {
            error.iter().for_each(|error| lines.add(label, error));
        }
        lines.0
    }
}

/// Lines with a label each.
struct Lines(String);

impl Lines {
    fn add(&mut self, label: &str, text: &str) {
        writeln!(self.0, "{label:<10} {text}").expect("a string can be written to");
    }
}

/// A time in its two largest units.
fn age(seconds: u64) -> String {
    let units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let first = units.iter().position(|(_, length)| seconds >= *length);
    let Some(first) = first else {
        return "0 s".to_owned();
    };
    let mut left = seconds;
    let mut texts = Vec::new();
    for (name, length) in units.iter().skip(first).take(2) {
        texts.push(format!("{} {name}", left / length));
        left %= length;
    }
    texts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_two_units() {
        let texts = [0, 59, 60, 3_661, 90_000].map(age);
        assert_eq!(texts, ["0 s", "59 s", "1 min 0 s", "1 h 1 min", "1 d 1 h"]);
    }
}
