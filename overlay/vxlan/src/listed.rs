// SPDX-License-Identifier: Apache-2.0
//! The overlay by a list of nodes: found right at a glance, or programmed by one call while the
//! others wait.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use cni::{Error, Network, warn};
use dataplane::Guard;
use net::Rtnl;
use nft::Nft;
use topology::{Cluster, Family, Mac, Node, Settings, Underlay, Vtep};

use crate::attached::Carried;
use crate::conf::Static;
use crate::doubt;
use crate::fingerprint::Fingerprint;
use crate::lock;
use crate::place::{self, DIRECTORY};
use crate::program::{Programmed, dataplane, program};
use crate::stamp::{self, Head, Stamp};
use crate::wished::Wished;

/// How long a call waits for another one: 65,000 peers take two seconds.
const LIMIT: Duration = Duration::from_secs(20);

/// The overlay of a configuration with a list.
pub(crate) struct Listed<'a> {
    rtnl: &'a Rtnl,
    network: &'a str,
    settings: &'a Settings,
    given: &'a Static,
}

impl<'a> Listed<'a> {
    /// That of this network.
    pub(crate) fn new(
        rtnl: &'a Rtnl,
        network: &'a Network,
        settings: &'a Settings,
        given: &'a Static,
    ) -> Self {
        Self {
            rtnl,
            network: &network.name,
            settings,
            given,
        }
    }

    /// Sees to it that the overlay is there, and says what it carries.
    pub(crate) fn ensure(&self) -> Result<Carried, Error> {
        if let Some(carried) = self.found_standing() {
            return Ok(carried);
        }
        let _lock = lock::acquire(Path::new(DIRECTORY), LIMIT)?;
        // The call before may have done it.
        match self.found_standing() {
            Some(carried) => Ok(carried),
            None => self.program(),
        }
    }

    /// Looks at everything, whatever an earlier call has found.
    pub(crate) fn renew(&self) -> Result<(), Error> {
        let _lock = lock::acquire(Path::new(DIRECTORY), LIMIT)?;
        self.program().map(drop)
    }

    /// What the overlay carries, if an earlier call has programmed this very list, nothing that it
    /// depended on has changed, and what the kernel holds of some of the peers is right. Writes
    /// nothing.
    pub(crate) fn standing(&self) -> Option<Carried> {
        let (stamp, _) = self.stamp_that_stands()?;
        Some(stamp.head.carried())
    }

    /// The same, and spares the next call what this one has looked at.
    fn found_standing(&self) -> Option<Carried> {
        let (stamp, ruleset) = self.stamp_that_stands()?;
        if !stamp.knows_ruleset(ruleset) {
            stamp.note_ruleset(ruleset);
        }
        Some(stamp.head.carried())
    }

    /// The stamp of this very list, if what it says is true, and the ruleset's generation.
    fn stamp_that_stands(&self) -> Option<(Stamp, u32)> {
        let stamp = Stamp::of_here()?;
        let fingerprint = Fingerprint::of(self.settings, self.given)?;
        if stamp.head.fingerprint != fingerprint.digest {
            return None;
        }
        let ruleset = stands(self.rtnl, &stamp)?;
        Some((stamp, ruleset))
    }

    fn program(&self) -> Result<Carried, Error> {
        // Before the list is read: a change of it meanwhile shows then.
        let fingerprint = Fingerprint::of(self.settings, self.given);
        let wished = Wished::read(self.rtnl, self.settings, self.given)?;
        let former = Stamp::of_here().map(|stamp| stamp.head);
        doubt::settle(
            &self.given.list,
            &wished.cluster,
            former.as_ref(),
            fingerprint.as_ref(),
        )?;
        // A call that is killed from here on leaves no word that all is right.
        if let Err(error) = stamp::remove(Path::new(DIRECTORY)) {
            warn(format_args!(
                "cannot take the stamp in {DIRECTORY} away: {error}"
            ));
        }
        if let Some(former) = &former {
            self.supersede(former, &wished.settings);
        }
        let programmed = program(self.rtnl, &wished)?;
        let settled = fingerprint.filter(|it| it.settled);
        let digest = settled.map(|it| it.digest).unwrap_or_default();
        self.leave_stamp(digest, &wished, &programmed);
        Ok(programmed.carried)
    }

    /// The device of another VNI would stay for ever. Another network's is not this one's to
    /// remove; but a node has one overlay.
    fn supersede(&self, former: &Head, settings: &Settings) {
        if former.network != self.network && former.settings != *settings {
            warn(format_args!(
                "network {:?} replaces the overlay of network {:?}: a node has one",
                self.network, former.network
            ));
        }
        if former.network == self.network && former.settings.vni != settings.vni {
            let report = dataplane(self.rtnl, &former.settings).remove();
            report.errors.iter().for_each(warn);
        }
    }

    /// What the next call is spared is no reason for an error in this one.
    fn leave_stamp(&self, fingerprint: String, wished: &Wished, programmed: &Programmed) {
        let (own, peers, counts) = nodes(&wished.cluster);
        let Some(place) = place::here() else { return };
        let head = Head {
            fingerprint,
            place,
            network: self.network.to_owned(),
            settings: wished.settings.clone(),
            own,
            surroundings: format!("{:?}", programmed.surroundings),
            mtu: programmed.carried.mtu,
            underlays: programmed.carried.underlays.clone(),
            counts,
        };
        if let Err(error) = stamp::write(Path::new(DIRECTORY), &head, &peers) {
            warn(format_args!(
                "each ADD looks at all peers, as no stamp can be left in {DIRECTORY}: {error}"
            ));
        }
    }
}

/// The ruleset's generation, if the host is as the stamp says, and the kernel holds what it should
/// for this node and for some peers.
fn stands(rtnl: &Rtnl, stamp: &Stamp) -> Option<u32> {
    let head = &stamp.head;
    let mut nodes = stamp.samples()?;
    nodes.push(head.own.clone());
    let (cluster, complaints) = Cluster::new(&head.own.name, nodes, &head.settings).ok()?;
    let dataplane = dataplane(rtnl, &head.settings);
    let surroundings = dataplane.glance(&cluster).ok()??;
    if !complaints.is_empty() || format!("{surroundings:?}") != head.surroundings {
        return None;
    }
    let mut nft = Nft::open().ok()?;
    // Before the look, so that a change meanwhile is seen by the next call.
    let ruleset = nft.generation().ok()?;
    let mut guard = Guard {
        nft: &mut nft,
        settings: &head.settings,
    };
    let guarded =
        stamp.knows_ruleset(ruleset) || guard.holds(&cluster, &surroundings.bridges).ok()?;
    guarded.then_some(ruleset)
}

/// The nodes of a cluster as a list would have them: this one, and the peers in the order of
/// [`Head::counts`].
fn nodes(cluster: &Cluster) -> (Node, Vec<Node>, [usize; 3]) {
    let mut own = named(cluster.own());
    let mut peers: BTreeMap<&str, Node> = BTreeMap::new();
    for overlay in cluster.overlays() {
        put(&mut own, overlay.family(), overlay.own());
        for vtep in overlay.peers() {
            let peer = peers.entry(&vtep.node).or_insert_with(|| named(&vtep.node));
            put(peer, overlay.family(), vtep);
        }
    }
    let mut peers: Vec<_> = peers.into_values().collect();
    let order = |node: &Node| match node.underlay {
        Underlay { v6: None, .. } => 0,
        Underlay { v4: Some(_), .. } => 1,
        Underlay { v4: None, .. } => 2,
    };
    peers.sort_by_key(order);
    let count = |class| peers.iter().filter(|peer| order(peer) == class).count();
    let counts = [0, 1, 2].map(count);
    (own, peers, counts)
}

fn named(name: &str) -> Node {
    Node {
        name: name.to_owned(),
        underlay: Underlay::default(),
        mac: None,
        mac_v6: None,
        pod_cidrs: Vec::new(),
        since: 0,
    }
}

fn put(node: &mut Node, family: Family, vtep: &Vtep) {
    let mac: Option<Mac> = Some(vtep.mac);
    match family {
        Family::V4 => node.mac = mac,
        Family::V6 => node.mac_v6 = mac,
    }
    match vtep.underlay {
        std::net::IpAddr::V4(v4) => node.underlay.v4 = Some(v4),
        std::net::IpAddr::V6(v6) => node.underlay.v6 = Some(v6),
    }
    node.pod_cidrs.extend(&vtep.pod_cidrs);
}
