// SPDX-License-Identifier: Apache-2.0
//! Taking back: single pods when their attachment ends, a network's rules when nobody uses them.

use super::mend::remove_pod;
use super::plan::Seen;
use super::ruleset::{self, CHAINS, EXEMPT, POSTROUTING, SETS, TABLE};
use crate::{Batch, Error, Installed, Nft, Protocol, comment};

/// Single pods that one transaction takes away: far below what fits the socket's send buffer.
const AT_ONCE: usize = 500;

/// Removes what is there for one attachment only; usually nothing. The network's rules stay.
pub fn release(nft: &mut Nft, network: &str, owner: &str) -> Result<(), Error> {
    let comment = format!("{} {owner}", comment::label(network));
    remove_pods(nft, |found| found == comment)
}

/// Removes what is there for attachments of the network that are not valid; if none is valid,
/// the network's rules too, and with the last network the table.
pub fn collect(nft: &mut Nft, network: &str, valid_owners: &[String]) -> Result<(), Error> {
    let label = comment::label(network);
    remove_pods(nft, |comment| {
        comment.rsplit_once(' ').is_some_and(|(whose, owner)| {
            whose == label && !valid_owners.iter().any(|valid| valid == owner)
        })
    })?;
    if valid_owners.is_empty() {
        remove_rules(nft, &label)
    } else {
        Ok(())
    }
}

/// Takes back what `owner` shared; with the last use, the table goes too.
pub fn unshare(nft: &mut Nft, owner: &str) -> Result<(), Error> {
    remove_rules(nft, &ruleset::shared_label(owner))
}

/// Removes the single pods whose comment is stale.
fn remove_pods(nft: &mut Nft, stale: impl Fn(&str) -> bool) -> Result<(), Error> {
    let mut remain = true;
    while remain {
        nft.transact(|nft| {
            let mut batch = Batch::new();
            remain = false;
            for protocol in Protocol::ALL {
                let mut pods = nft.elements(TABLE, ruleset::pods(protocol))?;
                pods.retain(|pod| pod.comment.as_deref().is_some_and(&stale));
                remain |= pods.len() > AT_ONCE;
                for pod in pods.iter().take(AT_ONCE) {
                    remove_pod(nft, &mut batch, protocol, &pod.key)?;
                }
            }
            Ok(batch)
        })?;
    }
    Ok(())
}

/// Removes all rules that carry a label, and what stands empty then.
pub(super) fn remove_rules(nft: &mut Nft, label: &str) -> Result<(), Error> {
    nft.transact(|nft| {
        let seen = Seen::read(nft, &[])?;
        let mut batch = Batch::new();
        for chain in [POSTROUTING, EXEMPT] {
            for rule in seen.chain(chain).filter(|rule| carries(rule, label)) {
                batch.delete_rule(TABLE, chain, rule.handle);
            }
        }
        let own = ruleset::chain_of(label);
        if nft.has_chain(TABLE, &own)? {
            batch.delete_chain(TABLE, &own);
        }
        if !is_used_by_others(nft, &seen, label)? {
            remove_base(nft, &mut batch)?;
        }
        Ok(batch)
    })?;
    nft.remove_if_empty(TABLE)
}

fn carries(rule: &Installed, label: &str) -> bool {
    ruleset::claim(rule).is_some_and(|(whose, _)| whose == label)
}

/// Whether another network or owner has a rule, a chain or a single pod.
fn is_used_by_others(nft: &mut Nft, seen: &Seen<'_>, label: &str) -> Result<bool, Error> {
    let own = ruleset::chain_of(label);
    let another = |rule: &&Installed| {
        let base = || {
            ruleset::base(&rule.chain)
                .iter()
                .any(|first| rule.is(first))
        };
        ruleset::is_ours(&rule.chain) && rule.chain != own && !carries(rule, label) && !base()
    };
    if seen.rules.iter().any(|rule| another(&rule)) {
        return Ok(true);
    }
    for protocol in Protocol::ALL {
        if !nft.elements(TABLE, ruleset::pods(protocol))?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The rules first: a set or chain that a rule refers to cannot go.
fn remove_base(nft: &mut Nft, batch: &mut Batch) -> Result<(), Error> {
    for (chain, _) in CHAINS {
        if nft.has_chain(TABLE, chain)? {
            batch.delete_chain(TABLE, chain);
        }
    }
    for set in &SETS {
        if nft.has_set(TABLE, set.name)? {
            batch.delete_set(TABLE, set.name);
        }
    }
    Ok(())
}
