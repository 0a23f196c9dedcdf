// SPDX-License-Identifier: Apache-2.0
//! How the kernel stands to what is wished, by the last looks at it.

use std::collections::{BTreeSet, HashSet};
use std::fmt;

use dataplane::Report;
use topology::Cluster;

/// What a change to the ruleset is called.
pub(crate) const SET_RULES: &str = "set rules";

/// What a look found and did.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Devices and peers; none when the look was at the ruleset alone.
    pub(crate) report: Option<Report>,
    /// Others' routes that are in the way, a sentence each; none when nobody looked for them.
    pub(crate) foreign: Option<Vec<String>>,
    /// What was missing in the ruleset, a sentence each.
    pub(crate) rules: Vec<String>,
    /// Why the ruleset could not be made right.
    pub(crate) rules_error: Option<String>,
}

/// How it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Whether there has been a look at everything.
    looked: bool,
    /// How many peers are programmed completely.
    pub(crate) programmed: usize,
    /// The names of the peers that lack a route, by the last look for others' routes.
    obstructed: BTreeSet<String>,
    /// The MTU in bytes that fits all devices, when all are there.
    pub(crate) pod_mtu: Option<u32>,
    /// What could not be done about devices and peers.
    objects: Vec<String>,
    /// What could not be done about the ruleset.
    rules: Option<String>,
}

impl Outcome {
    /// Notes what was missing in the ruleset and is made right, or why it is not.
    pub(crate) fn note_rules(&mut self, mended: Result<Vec<String>, String>) {
        match mended {
            Ok(rules) => (self.rules, self.rules_error) = (rules, None),
            Err(error) => self.rules_error = Some(error),
        }
    }

    /// Notes the same of further rules.
    pub(crate) fn note_more_rules(&mut self, mended: Result<Vec<String>, String>) {
        match mended {
            Ok(rules) => self.rules.extend(rules),
            Err(error) => {
                let before = self.rules_error.take().into_iter();
                let errors: Vec<_> = before.chain([error]).collect();
                self.rules_error = Some(errors.join("; "));
            }
        }
    }

    /// Whether something could not be done.
    pub(crate) fn failed(&self) -> bool {
        let report = self.report.as_ref();
        self.rules_error.is_some() || report.is_some_and(|report| !report.errors.is_empty())
    }

    /// What was done, and how often.
    pub(crate) fn operations(&self) -> Operations {
        let report = self.report.iter().flat_map(|report| &report.operations);
        let mut operations: Vec<_> = report
            .map(|(action, count)| (action.to_string(), *count))
            .collect();
        if !self.rules.is_empty() && self.rules_error.is_none() {
            operations.push((SET_RULES.to_owned(), self.rules.len()));
        }
        Operations(operations)
    }
}

/// What a look did: kinds of changes, and how many of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Operations(Vec<(String, usize)>);

impl Operations {
    #[cfg(test)]
    pub(crate) fn of(kinds: &[(&str, usize)]) -> Self {
        let operations = kinds
            .iter()
            .map(|(kind, count)| ((*kind).to_owned(), *count));
        Self(operations.collect())
    }

    /// Whether all was right already.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each kind, and how many there were.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = (&str, usize)> {
        self.0.iter().map(|(kind, count)| (kind.as_str(), *count))
    }

    /// Whether others were of the same kinds.
    pub(crate) fn are_like<'a>(&'a self, others: &'a Self) -> bool {
        let kinds = |of: &'a Self| of.0.iter().map(|(kind, _)| kind);
        kinds(self).eq(kinds(others))
    }
}

impl fmt::Display for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self
            .0
            .iter()
            .map(|(kind, count)| format!("{kind} {count}"))
            .collect();
        f.write_str(&texts.join(", "))
    }
}

impl Standing {
    /// Takes in a look at a cluster.
    pub(crate) fn note(&mut self, cluster: &Cluster, outcome: &Outcome) {
        self.rules.clone_from(&outcome.rules_error);
        let Some(report) = &outcome.report else {
            return;
        };
        self.looked = true;
        self.objects = report.errors.iter().map(ToString::to_string).collect();
        if outcome.foreign.is_some() {
            self.obstructed.clone_from(&report.obstructed);
        }
        self.programmed = programmed(cluster, report, &self.obstructed);
        let complete = report.devices.len() == cluster.overlays().len();
        let mtus = report.devices.iter().map(|device| device.mtu);
        self.pod_mtu = mtus.min().filter(|_| complete);
    }

    /// Whether everything is as wished.
    pub(crate) fn converged(&self) -> bool {
        self.looked && self.objects.is_empty() && self.rules.is_none()
    }

    /// What could not be done, a sentence each.
    pub(crate) fn errors(&self) -> impl Iterator<Item = &String> {
        self.objects.iter().chain(&self.rules)
    }
}

/// The peers with which nothing was wrong, or everything was made right.
fn programmed(cluster: &Cluster, report: &Report, obstructed: &BTreeSet<String>) -> usize {
    let mut peers = match report.errors.is_empty() {
        true => cluster.peers(),
        false => sound_peers(cluster, report),
    };
    obstructed.iter().for_each(|name| {
        peers.remove(name.as_str());
    });
    peers.len()
}

/// The names of the peers of which nothing differed.
pub(crate) fn sound_peers<'a>(cluster: &'a Cluster, report: &Report) -> HashSet<&'a str> {
    let mut peers = cluster.peers();
    peers.retain(|name| !report.peers.contains(*name) && !report.obstructed.contains(*name));
    for overlay in cluster.overlays() {
        let family = overlay.family();
        if !report.devices.iter().any(|device| device.family == family) {
            let without = overlay.peers().iter();
            without.for_each(|peer| {
                peers.remove(peer.node.as_str());
            });
        }
    }
    peers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(nodes: &[&str]) -> Cluster {
        let entry = |(name, number): (&&str, u8)| {
            serde_json::json!({
                "name": name, "underlay": format!("192.0.2.{number}"),
                "podCIDRs": [format!("10.200.{number}.0/24")],
            })
        };
        let nodes: serde_json::Value = nodes.iter().zip(1..).map(entry).collect();
        let list = topology::NodeList::parse(nodes.to_string().as_bytes()).unwrap();
        let settings = serde_json::from_str(r#"{"network": "10.200.0.0/16"}"#).unwrap();
        Cluster::new("own", list.nodes, &settings).unwrap().0
    }

    /// Only a look at everything sees others' routes; until the next one they are where they were.
    #[test]
    fn a_peer_that_lacks_a_route_is_not_programmed() {
        let mut standing = Standing::default();
        let look = |names: &[&str]| Outcome {
            report: Some(Report {
                obstructed: names.iter().map(|name| (*name).to_owned()).collect(),
                ..Report::default()
            }),
            foreign: Some(Vec::new()),
            ..Outcome::default()
        };
        let follow = Outcome {
            report: Some(Report::default()),
            ..Outcome::default()
        };
        let three = cluster(&["own", "a", "b"]);
        standing.note(&three, &look(&["a"]));
        assert_eq!((standing.programmed, standing.converged()), (1, true));
        standing.note(&three, &follow);
        assert_eq!(standing.programmed, 1);
        standing.note(&cluster(&["own", "b"]), &follow);
        assert_eq!(standing.programmed, 1);
        standing.note(&three, &look(&[]));
        assert_eq!(standing.programmed, 2);
    }
}
