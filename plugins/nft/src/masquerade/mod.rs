// SPDX-License-Identifier: Apache-2.0
//! Masquerade: packets that leave a network for elsewhere get the node's address.
//!
//! A rule serves a network's subnet, not a pod: an attachment usually finds all there, and its
//! end changes nothing. Between the networks that are masqueraded here, whichever they are, no
//! packet is translated. Table `inet podwire` for network `podnet`:
//!
//! ```text
//! chain postrouting {
//!     type nat hook postrouting priority srcnat
//!     ip daddr 224.0.0.0/4 return           # and ff00::/8
//!     ip saddr vmap @pods4                  # and @pods6: single pods, see below
//!     ip saddr 10.1.0.0/16 goto masq-podnet comment "podnet 10.1.0.0/16"
//! }
//! chain masq-podnet {
//!     ip daddr 192.168.0.0/16 accept        # the network's own exemptions
//!     jump exempt
//!     jump reserve                          # only with an overlay: off its UDP port
//!     masquerade fully-random
//! }
//! chain exempt {
//!     ip daddr @peers4 accept               # and @peers6
//!     ip daddr 10.1.0.0/16 accept comment "podnet 10.1.0.0/16"
//! }
//! ```
//!
//! Where a subnet's rule cannot serve, an element in `pods4` or `pods6` serves the one pod: when
//! another network has a rule for an overlapping subnet, when the pod's address has no subnet
//! (/32), and when the pod's network is not masqueraded but another one's rule covers it. Then
//! `peers4` or `peers6` makes the pod a destination without translation. What a network that is not
//! masqueraded needs is brought in by its attachments, so those that were there before the first
//! masqueraded network have no element and their subnet no exemption before its next attachment.

mod collect;
mod mend;
mod plan;
pub(crate) mod reserve;
mod ruleset;
mod subnets;

use ipnetwork::IpNetwork;

use crate::{Batch, Error, Nft};
pub use collect::{collect, release, unshare};
use plan::Seen;
pub use subnets::{Subnets, ensure_subnets, has_subnets, missing_subnets, remove_subnets};

/// A network's wish to be masqueraded, as one of its attachments states it.
#[derive(Clone, Copy, Debug)]
pub struct Masquerade<'a> {
    /// The network's name.
    pub network: &'a str,
    /// The attachment: its host interface's name.
    pub owner: &'a str,
    /// The attachment's addresses with the prefix of their subnets.
    pub addresses: &'a [IpNetwork],
    /// Destinations that this network reaches untranslated.
    pub exempt: &'a [IpNetwork],
}

/// Brings in what `wish` lacks: on a network's first attachment its rules, later usually nothing.
/// The network's exemptions become those of `wish`, subnets are only ever added, and what another
/// attachment left behind for one of the addresses gives way.
///
/// Fails if the kernel has no nat for the family inet ([`Error::Unsupported`]), or refuses.
pub fn ensure(nft: &mut Nft, wish: &Masquerade<'_>) -> Result<(), Error> {
    nft.transact(|nft| {
        let seen = Seen::read(nft, wish.addresses)?;
        let mut batch = Batch::new();
        for lack in seen.lacks(wish) {
            lack.mend(nft, &mut batch, &seen)?;
        }
        Ok(batch)
    })
}

/// Keeps the addresses of an attachment of a network that is not masqueraded out of the rules of
/// one that is. If the subnets are `routed` by this host, so that their pods find back to those of
/// other networks, they become destinations without translation. Changes nothing as long as no
/// network is masqueraded.
pub fn exclude(
    nft: &mut Nft,
    network: &str,
    owner: &str,
    addresses: &[IpNetwork],
    routed: bool,
) -> Result<(), Error> {
    nft.transact(|nft| {
        let seen = Seen::read(nft, addresses)?;
        let mut batch = Batch::new();
        for lack in seen.lacks_of_excluded(network, owner, routed) {
            lack.mend(nft, &mut batch, &seen)?;
        }
        Ok(batch)
    })
}

/// What of `wish` the kernel does not hold although the attachment needs it, one sentence each.
pub fn missing(nft: &mut Nft, wish: &Masquerade<'_>) -> Result<Vec<String>, Error> {
    let seen = Seen::read(nft, wish.addresses)?;
    Ok(seen.lacks(wish).iter().map(ToString::to_string).collect())
}

/// What of [`exclude`] the kernel does not hold, one sentence for each address that another
/// network's rules masquerade: such a network may have come later.
pub fn missing_exclusion(
    nft: &mut Nft,
    network: &str,
    owner: &str,
    addresses: &[IpNetwork],
) -> Result<Vec<String>, Error> {
    let seen = Seen::read(nft, addresses)?;
    let lacks = seen.lacks_of_excluded(network, owner, false);
    Ok(lacks.iter().map(ToString::to_string).collect())
}

/// Makes `destinations` reachable untranslated from every masqueraded network, in place of what
/// the same owner shared before. The owner is no network: the overlay shares its cluster network.
pub fn share(nft: &mut Nft, owner: &str, destinations: &[IpNetwork]) -> Result<(), Error> {
    nft.transact(|nft| {
        let seen = Seen::read(nft, &[])?;
        let mut batch = Batch::new();
        for lack in seen.lacks_of_shared(owner, destinations) {
            lack.mend(nft, &mut batch, &seen)?;
        }
        for handle in seen.no_longer_shared(owner, destinations) {
            batch.delete_rule(ruleset::TABLE, ruleset::EXEMPT, handle);
        }
        Ok(batch)
    })
}

/// What of [`share`] the kernel does not hold, or holds beyond it, one sentence each.
pub fn missing_shared(
    nft: &mut Nft,
    owner: &str,
    destinations: &[IpNetwork],
) -> Result<Vec<String>, Error> {
    let seen = Seen::read(nft, &[])?;
    let lacks = seen.lacks_of_shared(owner, destinations);
    let mut told: Vec<_> = lacks.iter().map(ToString::to_string).collect();
    if !seen.no_longer_shared(owner, destinations).is_empty() {
        let (chain, table) = (ruleset::EXEMPT, ruleset::TABLE);
        told.push(format!(
            "chain {chain} of {table} exempts what {owner} does not share any more"
        ));
    }
    Ok(told)
}
