// SPDX-License-Identifier: Apache-2.0
//! What makes good for a lack, and how it reads.

use std::fmt;

use super::plan::{Lack, Seen};
use super::ruleset::{self, CHAINS, EXEMPT, POSTROUTING, SETS, TABLE};
use crate::{Batch, Element, Error, Nft, Protocol};

impl Lack {
    /// Adds to the batch what makes good for it.
    pub(super) fn mend(
        &self,
        nft: &mut Nft,
        batch: &mut Batch,
        seen: &Seen<'_>,
    ) -> Result<(), Error> {
        match self {
            Lack::Base => mend_base(nft, batch, seen)?,
            Lack::Policy { chain, rules } => {
                if seen.chain(chain).next().is_some() {
                    batch.flush_chain(TABLE, chain);
                } else if !nft.has_chain(TABLE, chain)? {
                    batch.add_chain(TABLE, chain, None);
                }
                for rule in rules {
                    batch.append_rule(TABLE, chain, rule);
                }
            }
            Lack::Subnet { label, subnet } => {
                batch.append_rule(TABLE, POSTROUTING, &ruleset::subnet_rule(label, *subnet));
            }
            Lack::Exemption { label, destination } => {
                batch.append_rule(TABLE, EXEMPT, &ruleset::exemption(label, *destination));
            }
            Lack::Pod {
                address,
                have,
                wish,
            } => {
                let protocol = Protocol::of(*address);
                if let Some(element) = have {
                    remove_pod(nft, batch, protocol, &element.key)?;
                }
                if let Some(element) = wish {
                    add_pod(nft, batch, protocol, element, have.is_some())?;
                }
            }
        }
        Ok(())
    }
}

/// Adds what is missing of the table, its sets and shared chains. Whatever of the first rules is
/// there gives way to all of them, in their order, in front of the rest.
fn mend_base(nft: &mut Nft, batch: &mut Batch, seen: &Seen<'_>) -> Result<(), Error> {
    if !nft.has_table(TABLE)? {
        batch.add_table(TABLE);
    }
    for set in &SETS {
        if !nft.has_set(TABLE, set.name)? {
            batch.add_set(TABLE, set);
        }
    }
    for (chain, hook) in CHAINS {
        batch.add_chain(TABLE, chain, hook);
        let base = ruleset::base(chain);
        if seen.begins_with(chain, &base) {
            continue;
        }
        for rule in seen
            .chain(chain)
            .filter(|rule| base.iter().any(|first| rule.is(first)))
        {
            batch.delete_rule(TABLE, chain, rule.handle);
        }
        for rule in base.iter().rev() {
            batch.insert_rule(TABLE, chain, rule);
        }
    }
    Ok(())
}

fn add_pod(
    nft: &mut Nft,
    batch: &mut Batch,
    protocol: Protocol,
    element: &Element,
    replaces: bool,
) -> Result<(), Error> {
    batch.add_element(TABLE, ruleset::pods(protocol), element);
    let peers = ruleset::peers(protocol);
    if replaces || nft.element(TABLE, peers, &element.key)?.is_none() {
        batch.add_element(
            TABLE,
            peers,
            &Element {
                value: None,
                ..element.clone()
            },
        );
    }
    Ok(())
}

/// Adds the deletion of a single pod, as source and as destination.
pub(super) fn remove_pod(
    nft: &mut Nft,
    batch: &mut Batch,
    protocol: Protocol,
    key: &[u8],
) -> Result<(), Error> {
    batch.delete_element(TABLE, ruleset::pods(protocol), key);
    let peers = ruleset::peers(protocol);
    if nft.element(TABLE, peers, key)?.is_some() {
        batch.delete_element(TABLE, peers, key);
    }
    Ok(())
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lack::Base => write!(f, "{TABLE} is not there or lacks what every network needs"),
            Lack::Policy { chain, .. } => {
                write!(
                    f,
                    "chain {chain} of {TABLE} does not hold the network's rules"
                )
            }
            Lack::Subnet { label, subnet } => {
                write!(
                    f,
                    "{TABLE} has no rule that masquerades {subnet} for network {label}"
                )
            }
            Lack::Exemption { label, destination } => {
                write!(
                    f,
                    "{TABLE} has no rule that exempts {destination} of network {label}"
                )
            }
            Lack::Pod { address, have, .. } => {
                let set = ruleset::pods(Protocol::of(*address));
                match have
                    .as_ref()
                    .map(|element| element.comment.as_deref().unwrap_or_default())
                {
                    Some(whose) => write!(
                        f,
                        "map {set} of {TABLE} treats {address} as that of another: \"{whose}\""
                    ),
                    None => write!(f, "map {set} of {TABLE} has no element for {address}"),
                }
            }
        }
    }
}
