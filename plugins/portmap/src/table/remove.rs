// SPDX-License-Identifier: Apache-2.0
//! Taking back: mappings when their attachment ends, a network's rules with its last mapping, all the
//! rest with the last of all.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnetwork::IpNetwork;
use nft::{Batch, Error, Nft};

use super::element::{self, Held};
use super::opened;
use crate::holder;
use crate::localnet;
use crate::maps::Maps;
use crate::ruleset::{self, CHAINS, OPENED, POSTROUTING, TABLE};

/// Mappings that one transaction takes away: far below what fits the socket's send buffer.
const AT_ONCE: usize = 400;

/// Removes the mappings of one network whose holder is stale, and returns them. A network is known by
/// its label; where it has no mapping left, its rules go too.
pub(crate) fn remove(
    nft: &mut Nft,
    label: &str,
    stale: impl Fn(&str) -> bool,
) -> Result<Vec<Held>, Error> {
    let mut removed = Vec::new();
    if !nft.has_chain(TABLE, CHAINS[0].0)? {
        return Ok(removed);
    }
    let mut closed = Vec::new();
    loop {
        let mut taken = Vec::new();
        let mut remain = 0;
        nft.transact(|nft| {
            let mut batch = Batch::new();
            let (gone, kept) = split(nft, label, &stale)?;
            remain = kept.len();
            close_before(nft, &kept, &mut closed)?;
            for (maps, held) in &gone {
                remove_mapping(nft, &mut batch, *maps, held)?;
            }
            if !kept.is_empty() {
                let is_stale = |it: &str| holder::is_of(it, label) && stale(it);
                opened::forget(nft, &mut batch, is_stale)?;
            }
            remove_rules(nft, &mut batch, label, &gone, &kept)?;
            taken = gone.into_iter().map(|(_, held)| held).collect();
            Ok(batch)
        })?;
        let more = taken.len() == AT_ONCE;
        removed.append(&mut taken);
        if more {
            continue;
        }
        if remain == 0 {
            nft.remove_if_empty(TABLE)?;
        }
        return Ok(removed);
    }
}

/// Before the rule goes that keeps neighbours off, the interfaces go back to what they were; and to
/// what they are now if a mapping came meanwhile, which found them open.
fn close_before(nft: &mut Nft, kept: &Mappings, closed: &mut Vec<String>) -> Result<(), Error> {
    if kept.is_empty() {
        *closed = opened::read(nft)?;
        localnet::set_open(closed, false);
    } else {
        localnet::set_open(&std::mem::take(closed), true);
    }
    Ok(())
}

type Mappings = Vec<(Maps, Held)>;

/// The stale mappings, as many as one transaction takes, and all others.
fn split(
    nft: &mut Nft,
    label: &str,
    stale: &impl Fn(&str) -> bool,
) -> Result<(Mappings, Mappings), Error> {
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    for maps in Maps::ALL {
        for held in element::read(nft, maps)? {
            let is_stale = holder::is_of(&held.holder, label) && stale(&held.holder);
            let list = match is_stale && gone.len() < AT_ONCE {
                true => &mut gone,
                false => &mut kept,
            };
            list.push((maps, held));
        }
    }
    Ok((gone, kept))
}

fn remove_mapping(nft: &mut Nft, batch: &mut Batch, maps: Maps, held: &Held) -> Result<(), Error> {
    batch.delete_element(TABLE, maps.targets(), &held.key);
    let verdict = nft.element(TABLE, maps.verdicts(), &held.key)?;
    if verdict.is_some_and(|verdict| verdict.comment.as_deref() == Some(&held.holder)) {
        batch.delete_element(TABLE, maps.verdicts(), &held.key);
    }
    Ok(())
}

/// Adds the deletion of the rules that none of the mappings that stay needs.
fn remove_rules(
    nft: &mut Nft,
    batch: &mut Batch,
    label: &str,
    gone: &Mappings,
    kept: &Mappings,
) -> Result<(), Error> {
    if kept.is_empty() {
        return remove_all(nft, batch, label);
    }
    let of_network = |(_, held): &(Maps, Held)| holder::is_of(&held.holder, label);
    if kept.iter().any(of_network) {
        return remove_lone(nft, batch, label, gone, kept);
    }
    for rule in nft.rules(TABLE, Some(POSTROUTING))? {
        if rule.comment.as_deref() == Some(label) {
            batch.delete_rule(TABLE, POSTROUTING, rule.handle);
        }
    }
    for chain in [ruleset::entry_of(label), ruleset::translation_of(label)] {
        if nft.has_chain(TABLE, &chain)? {
            batch.delete_chain(TABLE, &chain);
        }
    }
    Ok(())
}

/// Adds the deletion of the rules for containers without neighbours.
fn remove_lone(
    nft: &mut Nft,
    batch: &mut Batch,
    label: &str,
    gone: &Mappings,
    kept: &Mappings,
) -> Result<(), Error> {
    let targets = |mappings: &Mappings| -> BTreeSet<IpAddr> {
        let targets = mappings.iter().map(|(_, held)| held.mapping.target.ip());
        targets.collect()
    };
    let unused = &targets(gone) - &targets(kept);
    let lone: Vec<_> = unused.into_iter().map(IpNetwork::from).collect();
    let chain = ruleset::translation_of(label);
    for rule in nft.rules(TABLE, Some(&chain))? {
        let whose = rule.comment.and_then(|comment| comment.parse().ok());
        if whose.is_some_and(|whose| lone.contains(&whose)) {
            batch.delete_rule(TABLE, &chain, rule.handle);
        }
    }
    Ok(())
}

/// Adds the deletion of all that is ours: rules first, as a chain or map that one refers to can't go.
fn remove_all(nft: &mut Nft, batch: &mut Batch, label: &str) -> Result<(), Error> {
    let ours = |chain: &str| chain.starts_with("hostport");
    let mut chains: Vec<String> = Vec::new();
    for rule in nft.rules(TABLE, None)? {
        if ours(&rule.chain) && !chains.contains(&rule.chain) {
            chains.push(rule.chain);
        }
    }
    for chain in &chains {
        batch.flush_chain(TABLE, chain);
    }
    for maps in Maps::ALL {
        for set in maps.sets() {
            if nft.has_set(TABLE, set.name)? {
                batch.delete_set(TABLE, set.name);
            }
        }
    }
    if nft.has_set(TABLE, OPENED.name)? {
        batch.delete_set(TABLE, OPENED.name);
    }
    // Those that somebody has flushed.
    let of_network = [ruleset::entry_of(label), ruleset::translation_of(label)];
    let shared = CHAINS.map(|(chain, _)| chain.to_owned());
    for chain in of_network.into_iter().chain(shared) {
        if !chains.contains(&chain) && nft.has_chain(TABLE, &chain)? {
            chains.push(chain);
        }
    }
    for chain in &chains {
        batch.delete_chain(TABLE, chain);
    }
    Ok(())
}
