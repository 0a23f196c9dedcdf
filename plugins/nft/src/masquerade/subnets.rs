// SPDX-License-Identifier: Apache-2.0
//! Whole subnets, masqueraded by somebody who attaches nobody to them: the node's agent, whoever
//! attached the pods there.
//!
//! ```text
//! chain postrouting {
//!     ip saddr 10.1.0.0/16 goto masq-overlay/subnets comment "overlay/subnets 10.1.0.0/16"
//! }
//! ```
//!
//! A network's own rule for the subnet, or its pods' elements, come first.

use ipnetwork::IpNetwork;

use super::collect::remove_rules;
use super::plan::Seen;
use super::ruleset;
use crate::{Batch, Error, Nft};

/// Whose subnets are to be masqueraded, and where to they are not.
#[derive(Clone, Copy, Debug)]
pub struct Subnets<'a> {
    /// Who wants it.
    pub owner: &'a str,
    /// The subnets; host bits are ignored.
    pub subnets: &'a [IpNetwork],
    /// Destinations that they reach untranslated.
    pub exempt: &'a [IpNetwork],
}

/// Makes the kernel masquerade these subnets for their owner, and no others.
pub fn ensure_subnets(nft: &mut Nft, wish: &Subnets<'_>) -> Result<(), Error> {
    nft.transact(|nft| {
        let seen = Seen::read(nft, &[])?;
        let mut batch = Batch::new();
        for lack in seen.lacks_of_subnets(wish.owner, wish.subnets, wish.exempt) {
            lack.mend(nft, &mut batch, &seen)?;
        }
        for (chain, handle) in seen.no_longer_subnets(wish.owner, wish.subnets) {
            batch.delete_rule(ruleset::TABLE, chain, handle);
        }
        Ok(batch)
    })
}

/// What of [`ensure_subnets`] the kernel does not hold, or holds beyond it, one sentence each.
pub fn missing_subnets(nft: &mut Nft, wish: &Subnets<'_>) -> Result<Vec<String>, Error> {
    let seen = Seen::read(nft, &[])?;
    let lacks = seen.lacks_of_subnets(wish.owner, wish.subnets, wish.exempt);
    let stale = seen.no_longer_subnets(wish.owner, wish.subnets);
    let stale = stale.iter().map(|(chain, handle)| {
        let (table, owner) = (ruleset::TABLE, wish.owner);
        format!("rule {handle} of chain {chain} of {table} is about no subnet of {owner} any more")
    });
    Ok(lacks.iter().map(ToString::to_string).chain(stale).collect())
}

/// Whether the kernel masquerades subnets for this owner.
pub fn has_subnets(nft: &mut Nft, owner: &str) -> Result<bool, Error> {
    let chain = ruleset::chain_of(&ruleset::subnets_label(owner));
    nft.has_chain(ruleset::TABLE, &chain)
}

/// Takes it back; with the last use, the table goes too.
pub fn remove_subnets(nft: &mut Nft, owner: &str) -> Result<(), Error> {
    remove_rules(nft, &ruleset::subnets_label(owner))
}
