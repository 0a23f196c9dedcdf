// SPDX-License-Identifier: Apache-2.0
//! The ruleset's part of the overlay: the guard of its UDP port, and the cluster network's
//! exemption from every network's masquerade, by which pods see each other's own addresses.

use std::collections::BTreeSet;
use std::net::IpAddr;

pub use nft::overlay::Dropped;
use nft::{Error, Nft, masquerade, overlay};
use topology::{Cluster, Family, Settings, Vtep};

/// Who exempts the cluster network. A namespace has one overlay, so this need not say which; that
/// it is no network of the bridge plugin's, which may have any name, the ruleset says.
const OWNER: &str = "overlay";

/// The overlay's rules in the network namespace of a connection.
#[derive(Debug)]
pub struct Guard<'a> {
    /// The connection to nf_tables.
    pub nft: &'a mut Nft,
    /// What all nodes agree on.
    pub settings: &'a Settings,
}

impl Guard<'_> {
    /// Makes the kernel hold the rules for a cluster's peers; writes nothing where they are there.
    /// `bridges` are those of [`Surroundings`](crate::Surroundings).
    ///
    /// # Errors
    /// When the kernel refuses one of the two; the other is made all the same.
    pub fn ensure(&mut self, cluster: &Cluster, bridges: &[String]) -> Result<(), Error> {
        let peers: Vec<_> = underlays(all_peers(cluster)).into_iter().collect();
        let (devices, bridges) = (self.devices(cluster), names(bridges));
        let devices = names(&devices);
        let wish = self.wish(cluster, &peers, [&bridges, &devices]);
        let guarded = overlay::ensure(self.nft, &wish);
        let shared = masquerade::share(self.nft, OWNER, cluster.network());
        guarded.and(shared)
    }

    /// As [`Self::ensure`] where there are no rules yet; else peers are only taken in, because the
    /// cluster may lack some that there are ([`topology::NodeList::partial`]).
    ///
    /// # Errors
    /// As for [`Self::ensure`].
    pub fn complete(&mut self, cluster: &Cluster, bridges: &[String]) -> Result<(), Error> {
        let peers: Vec<_> = underlays(all_peers(cluster)).into_iter().collect();
        if overlay::update(self.nft, &peers, &[])? {
            return masquerade::share(self.nft, OWNER, cluster.network());
        }
        self.ensure(cluster, bridges)
    }

    /// Makes the rules for `before` those for `after`. Where only peers came or went, just these
    /// are written, and what that costs does not grow with the others; else it is
    /// [`Self::ensure`]. The rules about `bridges` are taken to be right.
    ///
    /// # Errors
    /// As for [`Self::ensure`].
    pub fn follow(
        &mut self,
        before: &Cluster,
        after: &Cluster,
        bridges: &[String],
    ) -> Result<(), Error> {
        let Some((gone, come)) = changed(before, after) else {
            return self.ensure(after, bridges);
        };
        let (gone, come) = (underlays(gone.into_iter()), underlays(come.into_iter()));
        let went: Vec<_> = gone.difference(&come).copied().collect();
        let came: Vec<_> = come.difference(&gone).copied().collect();
        if (went.is_empty() && came.is_empty()) || overlay::update(self.nft, &came, &went)? {
            return Ok(());
        }
        self.ensure(after, bridges)
    }

    /// What of [`Self::ensure`] the kernel does not hold, or holds beyond it, one sentence each.
    /// Writes nothing.
    ///
    /// # Errors
    /// When the kernel refuses to tell.
    pub fn missing(&mut self, cluster: &Cluster, bridges: &[String]) -> Result<Vec<String>, Error> {
        let peers: Vec<_> = underlays(all_peers(cluster)).into_iter().collect();
        let (devices, bridges) = (self.devices(cluster), names(bridges));
        let devices = names(&devices);
        let wish = self.wish(cluster, &peers, [&bridges, &devices]);
        let mut lacks = overlay::missing(self.nft, &wish)?;
        lacks.extend(masquerade::missing_shared(
            self.nft,
            OWNER,
            cluster.network(),
        )?);
        Ok(lacks)
    }

    /// Whether the rules are there, and the peers among those that they know, by a look-up for each
    /// peer of this cluster. Of what is beyond the wish only rules are seen.
    ///
    /// # Errors
    /// When the kernel refuses to tell.
    pub fn holds(&mut self, cluster: &Cluster, bridges: &[String]) -> Result<bool, Error> {
        let peers: Vec<_> = underlays(all_peers(cluster)).into_iter().collect();
        let (devices, bridges) = (self.devices(cluster), names(bridges));
        let devices = names(&devices);
        let wish = self.wish(cluster, &peers, [&bridges, &devices]);
        overlay::holds(self.nft, &wish, OWNER, cluster.network())
    }

    /// What it has dropped since its rules were made.
    ///
    /// # Errors
    /// When the kernel refuses to tell.
    pub fn dropped(&mut self) -> Result<Dropped, Error> {
        overlay::dropped(self.nft)
    }

    /// Takes all of it back; the networks' masquerade stays.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn remove(&mut self) -> Result<(), Error> {
        let unshared = masquerade::unshare(self.nft, OWNER);
        let removed = overlay::remove(self.nft);
        unshared.and(removed)
    }

    /// The overlay's devices, behind which are the pods of others. Whose devices these are, the rules
    /// need not know.
    fn devices(&self, cluster: &Cluster) -> Vec<String> {
        let vni = self.settings.vni;
        let families = cluster.overlays().iter().map(topology::Overlay::family);
        let devices = families.flat_map(|family| {
            let own = Some(vni.device_name(family));
            own.into_iter().chain(vni.flannel_device_name(family))
        });
        devices.collect()
    }

    fn wish<'b>(
        &self,
        cluster: &'b Cluster,
        peers: &'b [IpAddr],
        [bridges, devices]: [&'b [&'b str]; 2],
    ) -> overlay::Overlay<'b> {
        overlay::Overlay {
            port: self.settings.port.get(),
            peers,
            pods: cluster.network(),
            bridges,
            devices,
            filter: self.settings.source_filter,
        }
    }
}

/// The peers as they were that went or changed, and as they are that came or changed; none where
/// more than peers differs.
fn changed<'a>(before: &'a Cluster, after: &'a Cluster) -> Option<(Vec<&'a Vtep>, Vec<&'a Vtep>)> {
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    for family in Family::ALL {
        match (before.overlay(family), after.overlay(family)) {
            (Some(before), Some(after)) => {
                let (old, new) = before.changed(after);
                gone.extend(old);
                come.extend(new);
            }
            (None, None) => {}
            _ => return None,
        }
    }
    (before.network() == after.network()).then_some((gone, come))
}

fn all_peers(cluster: &Cluster) -> impl Iterator<Item = &Vtep> {
    cluster.overlays().iter().flat_map(topology::Overlay::peers)
}

fn underlays<'a>(peers: impl Iterator<Item = &'a Vtep>) -> BTreeSet<IpAddr> {
    peers.map(|peer| peer.underlay).collect()
}

fn names(links: &[String]) -> Vec<&str> {
    links.iter().map(String::as_str).collect()
}
