// SPDX-License-Identifier: Apache-2.0
//! The rules about what leaves this node's pods, and flannel's in whose place they stand.

use std::time::Instant;

use dataplane::Egress;
use ipnetwork::IpNetwork;
use net::Rtnl;
use nft::Nft;
use topology::Cluster;
use tracing::info;

use crate::flannel::{Rival, legacy_tables};

/// The protocol number of routes made without one, as flannel makes them: linux/rtnetlink.h.
const RTPROT_BOOT: u8 = 3;

/// The rules of this node.
#[derive(Debug)]
pub(crate) struct NodeEgress {
    masquerade: Option<Vec<IpNetwork>>,
    takes_over: bool,
    rival: Rival,
}

impl NodeEgress {
    /// `masquerade`: where to pods go untranslated, if the agent masquerades.
    pub(crate) fn new(masquerade: Option<Vec<IpNetwork>>, takes_over: bool) -> Self {
        Self {
            masquerade,
            takes_over,
            rival: Rival::default(),
        }
    }

    /// Makes the rules right, and says what was missing in them.
    pub(crate) fn mend(&self, nft: &mut Nft, cluster: &Cluster) -> Result<Vec<String>, nft::Error> {
        let mut egress = self.of(nft);
        let missing = egress.missing(cluster)?;
        if !missing.is_empty() {
            egress.ensure(cluster)?;
        }
        Ok(missing)
    }

    /// The routes of flannel's that there are; the next look at everything makes them ours.
    pub(crate) fn strange_routes(&self, rtnl: &Rtnl, devices: &[u32]) -> usize {
        let devices = devices.iter().filter(|_| self.takes_over);
        let routes = devices.map(|it| rtnl.route_entries(Some(*it), Some(RTPROT_BOOT)));
        routes.flatten().map(|routes| routes.len()).sum()
    }

    /// Takes flannel's rules away, now that there are ours, and draws its conclusions.
    pub(crate) fn displace(
        &mut self,
        nft: &mut Nft,
        strange_routes: usize,
    ) -> Result<(), nft::Error> {
        if !self.takes_over {
            return Ok(());
        }
        let rules = self.of(nft).displace_flannel()?;
        if !rules.is_empty() {
            info!(rules = rules.join(", "), "removed flannel's rules");
        }
        let routes = format!("{strange_routes} of its routes");
        let routes = (strange_routes > 0).then_some(routes);
        let found = rules.into_iter().next().or(routes);
        self.rival.found(Instant::now(), found);
        Ok(())
    }

    /// What others have to see to, a sentence each.
    pub(crate) fn complaints(&self) -> Vec<String> {
        if !self.takes_over {
            return Vec::new();
        }
        let rival = self.rival.complaint(Instant::now());
        rival.into_iter().chain(legacy_complaints()).collect()
    }

    fn of<'a>(&'a self, nft: &'a mut Nft) -> Egress<'a> {
        Egress {
            nft,
            masquerade: self.masquerade.as_deref(),
            takes_over: self.takes_over,
        }
    }
}

/// That flannel may have rules which nobody can reach over nf_tables.
pub(crate) fn legacy_complaints() -> impl Iterator<Item = String> {
    legacy_tables().into_iter().map(|program| {
        format!(
            "rules of {program}, which podwired cannot reach, are in force: if flannel made some, \
             `{program}-save | grep -v FLANNEL- | {program}-restore` removes them; where its chain \
             FORWARD drops what no rule accepts, let pods' packets through by rules of your own first"
        )
    })
}
