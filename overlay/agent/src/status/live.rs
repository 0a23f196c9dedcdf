// SPDX-License-Identifier: Apache-2.0
//! The kernel held against the list of nodes, without a change to anything.

use std::fs;
use std::path::Path;

use dataplane::{Dataplane, Dropped, Egress, Guard, Report};
use net::Rtnl;
use nft::Nft;
use topology::{Cluster, Node, NodeList, Remembered, State};

use crate::cli::origin;
use crate::egress::legacy_complaints;
use crate::standing::sound_peers;

/// What of many things of one kind is named.
const NAMED: usize = 10;

/// What a look showed.
#[derive(Debug, Default)]
pub(super) struct Live {
    /// How many peers the list has now.
    pub(super) wished: Option<usize>,
    /// How many of them the kernel holds completely.
    pub(super) programmed: Option<usize>,
    /// What is not as it should be, a sentence each.
    pub(super) differs: Vec<String>,
    /// What others have to see to, a sentence each.
    pub(super) complaints: Vec<String>,
    /// What the guard has dropped, if the kernel tells.
    pub(super) dropped: Option<Dropped>,
}

impl Live {
    /// Looks. What keeps it from looking is one of the sentences.
    /// `runs` says whether the agent does: then it may know better than the list as it is now.
    pub(super) fn look(state: &State, runs: bool) -> Self {
        let mut live = Self {
            dropped: guard(state, |guard| guard.dropped()).ok(),
            ..Self::default()
        };
        if state.takes_over {
            live.complaints.extend(flannels());
        }
        match cluster(state, &mut live.complaints) {
            // The last good entry of a bad one, or peers that are gone and not yet believed to be.
            Ok(cluster) if runs && cluster.peers().len() != state.peers_wished => {
                live.complaints.push(format!(
                    "peers are not compared: podwired keeps to {} of them, the list has {} now",
                    state.peers_wished,
                    cluster.peers().len()
                ));
            }
            Ok(cluster) => live.compare(state, &cluster),
            // The agent keeps to the last good list, which nobody else knows.
            Err(why) => live
                .complaints
                .push(format!("peers are not compared: {why}")),
        }
        live
    }

    fn compare(&mut self, state: &State, cluster: &Cluster) {
        self.wished = Some(cluster.peers().len());
        match peers(state, cluster) {
            Ok((report, bridges)) => {
                self.programmed = Some(sound_peers(cluster, &report).len());
                self.tell(&report);
                let rules = [
                    guard(state, |guard| guard.missing(cluster, &bridges)),
                    egress(state, |egress| egress.missing(cluster)),
                ];
                for rules in rules {
                    match rules {
                        Ok(missing) => self.differs.extend(missing),
                        Err(error) => self.differs.push(error.to_string()),
                    }
                }
            }
            Err(error) => self.differs.push(error.to_string()),
        }
    }

    fn tell(&mut self, report: &Report) {
        let errors = report.errors.iter().map(ToString::to_string);
        self.differs.extend(errors.take(NAMED));
        let due = report.operations.iter();
        self.differs
            .extend(due.map(|(action, count)| format!("due: {action} {count}")));
        let peers = report
            .peers
            .iter()
            .map(|name| format!("peer {name} is not as it should be"));
        self.differs.extend(peers.take(NAMED));
        if let Some(more @ 1..) = report.peers.len().checked_sub(NAMED) {
            self.differs.push(format!("and {more} more peers"));
        }
        self.complaints
            .extend(report.complaints.iter().map(ToString::to_string));
    }
}

/// What this node sees in the list as it is now.
fn cluster(state: &State, complaints: &mut Vec<String>) -> Result<Cluster, String> {
    let (path, list) = match (&state.nodes_file, &state.remembered) {
        (Some(path), _) => (path, listed(path)),
        (None, Some(Remembered { cache_file, own })) => (cache_file, remembered(cache_file, own)),
        (None, None) => return Err("the state names no file that lists the nodes".to_owned()),
    };
    let named = |error: String| format!("{}: {error}", path.display());
    let cluster = Cluster::new(&state.node, list.map_err(named)?, &state.settings);
    let (cluster, faults) = cluster.map_err(|error| named(error.to_string()))?;
    complaints.extend(faults.iter().map(ToString::to_string));
    Ok(cluster)
}

fn listed(path: &Path) -> Result<Vec<Node>, String> {
    let content = fs::read(path).map_err(|error| error.to_string())?;
    let list = NodeList::parse(&content).map_err(|error| error.to_string())?;
    Ok(list.nodes)
}

/// What the agent remembers of a cluster.
fn remembered(path: &Path, own: &Node) -> Result<Vec<Node>, String> {
    let mut nodes = kubernetes::remembered(path).map_err(|error| error.to_string())?;
    nodes.push(own.clone());
    Ok(nodes)
}

fn peers(state: &State, cluster: &Cluster) -> Result<(Report, Vec<String>), dataplane::Error> {
    let rtnl = Rtnl::open()?;
    let dataplane = Dataplane {
        rtnl: &rtnl,
        settings: &state.settings,
        origin: origin(state.takes_over),
    };
    let surroundings = dataplane.surroundings(cluster)?;
    Ok((dataplane.audit(cluster), surroundings.bridges))
}

fn guard<T>(
    state: &State,
    ask: impl FnOnce(&mut Guard<'_>) -> Result<T, nft::Error>,
) -> Result<T, nft::Error> {
    ask(&mut Guard {
        nft: &mut Nft::open()?,
        settings: &state.settings,
    })
}

fn egress<T>(
    state: &State,
    ask: impl FnOnce(&mut Egress<'_>) -> Result<T, nft::Error>,
) -> Result<T, nft::Error> {
    let masquerade = state.masquerade.as_ref();
    ask(&mut Egress {
        nft: &mut Nft::open()?,
        masquerade: masquerade.map(|it| it.exempt.as_slice()),
        takes_over: state.takes_over,
    })
}

/// What there is of flannel's rules on a node where its place is taken, a sentence each.
fn flannels() -> impl Iterator<Item = String> {
    let seen = Nft::open().and_then(|mut nft| nft::flannel::seen(&mut nft));
    let objects = seen.map_or_else(|_| Vec::new(), |seen| seen.objects);
    let back = objects
        .into_iter()
        .map(|it| format!("{it} is there, which is flannel's"));
    back.chain(legacy_complaints())
}
