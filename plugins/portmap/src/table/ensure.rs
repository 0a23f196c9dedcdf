// SPDX-License-Identifier: Apache-2.0
//! What an attachment wants is made of what the table holds, unless somebody else's is in the way.

use nft::{Batch, Error, Installed, Nft, Rule};

use super::element::{self, Held, elements, key_of, maps_of};
use super::{Wish, opened};
use crate::mapping::{HostEnd, Mapping};
use crate::maps::Maps;
use crate::ruleset::{self, CHAINS, OfNetwork, POSTROUTING, TABLE};

/// Why the mappings were not made; nothing was changed.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Somebody else has one of the ports.
    Taken { wish: HostEnd, by: Held },
    /// The kernel refuses.
    Kernel(Error),
}

/// Makes what is missing of the wish, unless another attachment has one of the ports.
pub(crate) fn ensure(nft: &mut Nft, wish: &Wish<'_>) -> Result<(), Refusal> {
    let mut taken = None;
    let changed = nft.transact(|nft| {
        let mut batch = Batch::new();
        taken = conflict(nft, wish)?;
        if taken.is_none() {
            let rules = nft.rules(TABLE, None)?;
            mend_shared(nft, &mut batch, &rules, &wish.network)?;
            opened::note(nft, &mut batch, wish)?;
            mend_network(nft, &mut batch, &rules, wish)?;
            for mapping in wish.mappings {
                mend_mapping(nft, &mut batch, wish, mapping)?;
            }
        }
        Ok(batch)
    });
    match (changed, taken) {
        (Ok(()), None) => Ok(()),
        (Ok(()), Some((wish, by))) => Err(Refusal::Taken { wish, by }),
        (Err(error), _) => Err(Refusal::Kernel(error)),
    }
}

/// A wish that somebody else's mapping is in the way of.
fn conflict(nft: &mut Nft, wish: &Wish<'_>) -> Result<Option<(HostEnd, Held)>, Error> {
    for mapping in wish.mappings {
        let held = in_the_way(nft, mapping.host)?;
        if let Some(other) = held.into_iter().find(|held| held.holder != wish.holder) {
            return Ok(Some((mapping.host, other)));
        }
    }
    Ok(None)
}

/// The mappings that overlap what one wants of the host.
pub(super) fn in_the_way(nft: &mut Nft, host: HostEnd) -> Result<Vec<Held>, Error> {
    let mut held = Vec::new();
    // Whoever wants one address is in the way of nobody but who has that, or all of them.
    let all = Maps::of(host.protocol, false);
    let any = HostEnd {
        address: None,
        ..host
    };
    let found = nft.element(TABLE, all.targets(), &key_of(&any))?;
    held.extend(found.and_then(|it| element::held(all, &it)));
    let single = Maps::of(host.protocol, true);
    if host.address.is_some() {
        let found = nft.element(TABLE, single.targets(), &key_of(&host))?;
        held.extend(found.and_then(|it| element::held(single, &it)));
    } else {
        held.extend(element::read(nft, single)?);
    }
    held.retain(|held| held.mapping.host.overlaps(&host));
    Ok(held)
}

/// Adds what is missing of the table, its maps, its shared chains and their rules.
fn mend_shared(
    nft: &mut Nft,
    batch: &mut Batch,
    rules: &[Installed],
    network: &OfNetwork<'_>,
) -> Result<(), Error> {
    let right = |chain: &str| begins_with(rules, chain, &ruleset::shared(chain));
    let all_right = CHAINS.iter().all(|(chain, _)| right(chain));
    // A chain that begins with no rule is not told by rules, and the maps not by the chains that
    // all networks share.
    if all_right
        && nft.has_chain(TABLE, POSTROUTING)?
        && nft.has_chain(TABLE, &network.translation())?
    {
        return Ok(());
    }
    if !nft.has_table(TABLE)? {
        batch.add_table(TABLE);
    }
    for set in Maps::ALL.iter().flat_map(|maps| maps.sets()) {
        if !nft.has_set(TABLE, set.name)? {
            batch.add_set(TABLE, &set);
        }
    }
    for (chain, hook) in CHAINS {
        let wished = ruleset::shared(chain);
        if !nft.has_chain(TABLE, chain)? {
            batch.add_chain(TABLE, chain, hook);
        } else if wished.is_empty() || right(chain) {
            continue;
        } else {
            batch.flush_chain(TABLE, chain);
        }
        for rule in &wished {
            batch.append_rule(TABLE, chain, rule);
        }
    }
    Ok(())
}

/// Adds what is missing of the network's chains. The rules for neighbours that are there stay, unless
/// the network hides its clients in another way by now.
fn mend_network(
    nft: &mut Nft,
    batch: &mut Batch,
    rules: &[Installed],
    wish: &Wish<'_>,
) -> Result<(), Error> {
    let Wish { network, .. } = wish;
    let translation = network.translation();
    let mut rebuilt = false;
    // What is jumped to comes first.
    for (chain, wished) in chains_of(network).into_iter().rev() {
        if !nft.has_chain(TABLE, &chain)? {
            batch.add_chain(TABLE, &chain, None);
        } else if holds(rules, &chain, &wished) {
            continue;
        } else {
            batch.flush_chain(TABLE, &chain);
        }
        rebuilt |= chain == translation;
        for rule in &wished {
            batch.append_rule(TABLE, &chain, rule);
        }
    }
    let mut neighbours: Vec<Rule> = Vec::new();
    if rebuilt {
        neighbours.extend(known_neighbours(network, rules));
    }
    for address in wish.targets() {
        let rule = network.neighbours(*address);
        let lacks = |rule: &Rule| rebuilt || !has(rules, &translation, rule);
        neighbours.extend(rule.filter(lacks).filter(|it| !neighbours.contains(it)));
    }
    for rule in &neighbours {
        batch.insert_rule(TABLE, &translation, rule);
    }
    mend_masquerade(batch, rules, network);
    Ok(())
}

/// The rules for the neighbours of subnets that the network's chain had, as they are to be now.
fn known_neighbours(network: &OfNetwork<'_>, rules: &[Installed]) -> Vec<Rule> {
    let of_chain = in_chain(rules, &network.translation());
    let subnets = of_chain
        .iter()
        .filter_map(|rule| rule.comment.as_deref()?.parse().ok());
    subnets
        .filter_map(|subnet| network.neighbours(subnet))
        .collect()
}

fn mend_masquerade(batch: &mut Batch, rules: &[Installed], network: &OfNetwork<'_>) {
    let wished = network.masquerade();
    let own = in_chain(rules, POSTROUTING).into_iter();
    let own = own.filter(|rule| rule.comment.as_deref() == Some(network.label()));
    let mut there = false;
    for rule in own {
        if wished.as_ref().is_some_and(|wished| rule.is(wished)) {
            there = true;
        } else {
            batch.delete_rule(TABLE, POSTROUTING, rule.handle);
        }
    }
    if let Some(rule) = wished.filter(|_| !there) {
        batch.append_rule(TABLE, POSTROUTING, &rule);
    }
}

/// Adds the elements of a mapping in place of what the same attachment had for the port.
fn mend_mapping(
    nft: &mut Nft,
    batch: &mut Batch,
    wish: &Wish<'_>,
    mapping: &Mapping,
) -> Result<(), Error> {
    let maps = maps_of(&mapping.host);
    let key = key_of(&mapping.host);
    let wished = elements(mapping, wish.holder, &wish.network.entry());
    for (set, element) in [maps.verdicts(), maps.targets()].into_iter().zip(&wished) {
        let found = nft.element(TABLE, set, &key)?;
        if found.as_ref() == Some(element) {
            continue;
        }
        if found.is_some() {
            batch.delete_element(TABLE, set, &key);
        }
        batch.add_element(TABLE, set, element);
    }
    Ok(())
}

/// A network's chains with the rules that they hold whoever is attached, in the order of a packet.
pub(super) fn chains_of(network: &OfNetwork<'_>) -> [(String, Vec<Rule>); 2] {
    [
        (network.entry(), network.conditions()),
        (network.translation(), network.translations()),
    ]
}

/// Whether a network's chain holds these rules, apart from those that have a comment.
pub(super) fn holds(rules: &[Installed], chain: &str, wished: &[Rule]) -> bool {
    let mut own = in_chain(rules, chain);
    own.retain(|rule| rule.comment.is_none());
    own.len() == wished.len() && own.iter().zip(wished).all(|(rule, wish)| rule.is(wish))
}

pub(super) fn begins_with(rules: &[Installed], chain: &str, wished: &[Rule]) -> bool {
    let own = in_chain(rules, chain);
    own.len() >= wished.len() && own.iter().zip(wished).all(|(rule, wish)| rule.is(wish))
}

pub(super) fn has(rules: &[Installed], chain: &str, wished: &Rule) -> bool {
    in_chain(rules, chain).iter().any(|rule| rule.is(wished))
}

fn in_chain<'a>(rules: &'a [Installed], chain: &str) -> Vec<&'a Installed> {
    rules.iter().filter(|rule| rule.chain == chain).collect()
}
