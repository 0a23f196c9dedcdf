// SPDX-License-Identifier: Apache-2.0
//! The ruleset's part in what leaves this node's pods for elsewhere: masquerade of what goes out of
//! the cluster, and a way through the host's own firewall; and flannel's rules to the same ends, which
//! are taken away once ours are there.

use ipnetwork::IpNetwork;
use nft::masquerade::{self, Subnets};
use nft::{Error, Nft, flannel, forward};
use topology::Cluster;

/// Whose pods are masqueraded: the overlay's, whoever attached them.
const OWNER: &str = "overlay";

/// The rules about this node's own pods, in the network namespace of a connection.
#[derive(Debug)]
pub struct Egress<'a> {
    /// The connection to nf_tables.
    pub nft: &'a mut Nft,
    /// Where to pods' packets go untranslated, besides the cluster's network; none: somebody else
    /// sees to the masquerade.
    pub masquerade: Option<&'a [IpNetwork]>,
    /// Whether this stands in flannel's place, which lets pods' packets through the host's firewall.
    pub takes_over: bool,
}

impl Egress<'_> {
    /// What of [`Self::ensure`] the kernel does not hold, or holds beyond it, one sentence each.
    /// Writes nothing.
    ///
    /// # Errors
    /// When the kernel refuses to tell.
    pub fn missing(&mut self, cluster: &Cluster) -> Result<Vec<String>, Error> {
        let mut lacks = match self.masquerade {
            Some(exempt) => {
                let (subnets, exempt) = (own_pods(cluster), exempt_from(cluster, exempt));
                masquerade::missing_subnets(self.nft, &wish(&subnets, &exempt))?
            }
            None if masquerade::has_subnets(self.nft, OWNER)? => {
                vec![format!(
                    "{OWNER}'s pods are masqueraded, which is not wished"
                )]
            }
            None => Vec::new(),
        };
        lacks.extend(forward::missing(self.nft, self.let_through(cluster))?);
        Ok(lacks)
    }

    /// Makes the kernel hold the rules; writes nothing where they are there.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn ensure(&mut self, cluster: &Cluster) -> Result<(), Error> {
        if let Some(exempt) = self.masquerade {
            let (subnets, exempt) = (own_pods(cluster), exempt_from(cluster, exempt));
            masquerade::ensure_subnets(self.nft, &wish(&subnets, &exempt))?;
        } else if masquerade::has_subnets(self.nft, OWNER)? {
            masquerade::remove_subnets(self.nft, OWNER)?;
        }
        forward::ensure(self.nft, self.let_through(cluster))
    }

    /// What the host's firewall is to let through by rules of ours.
    fn let_through<'b>(&self, cluster: &'b Cluster) -> &'b [IpNetwork] {
        if self.takes_over {
            cluster.network()
        } else {
            &[]
        }
    }

    /// Takes flannel's rules away, and says which there were. Ours have to be there first: so no
    /// packet finds neither.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn displace_flannel(&mut self) -> Result<Vec<String>, Error> {
        if !self.takes_over {
            return Ok(Vec::new());
        }
        flannel::remove(self.nft)
    }

    /// Takes all of it back. What flannel had does not come back by this.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn remove(nft: &mut Nft) -> Result<(), Error> {
        let removed = masquerade::remove_subnets(nft, OWNER);
        let forbidden = forward::remove(nft);
        removed.and(forbidden)
    }
}

fn own_pods(cluster: &Cluster) -> Vec<IpNetwork> {
    let overlays = cluster.overlays().iter();
    let own = overlays.flat_map(|overlay| &overlay.own().pod_cidrs);
    own.copied().collect()
}

fn exempt_from(cluster: &Cluster, others: &[IpNetwork]) -> Vec<IpNetwork> {
    cluster.network().iter().chain(others).copied().collect()
}

fn wish<'a>(subnets: &'a [IpNetwork], exempt: &'a [IpNetwork]) -> Subnets<'a> {
    Subnets {
        owner: OWNER,
        subnets,
        exempt,
    }
}
