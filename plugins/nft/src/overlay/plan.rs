// SPDX-License-Identifier: Apache-2.0
//! The difference between what is wished and what the table holds.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::Overlay;
use super::ruleset::{self, CAPACITY, CHAINS, TABLE, vteps};
use crate::rule::octets;
use crate::{Batch, Error, Installed, Nft, Protocol, Rule};

/// Bytes of addresses that one transaction writes: with the rules about them they stay below twice
/// `net.core.wmem_max`, which is what a socket's buffer may be without a right to more.
const AT_ONCE: usize = 380 << 10;
/// What an address takes in a message besides itself: the headers of three attributes.
const FRAME: usize = 12;

/// What the table holds.
pub(super) struct Seen {
    rules: Vec<Installed>,
    /// By protocol, as in [`Protocol::ALL`].
    peers: [BTreeSet<Vec<u8>>; 2],
}

/// The addresses of one protocol that came, and those that went.
struct Difference {
    new: Vec<Vec<u8>>,
    stale: Vec<Vec<u8>>,
}

impl Seen {
    pub(super) fn read(nft: &mut Nft) -> Result<Seen, Error> {
        let mut peers = [BTreeSet::new(), BTreeSet::new()];
        for (peers, protocol) in peers.iter_mut().zip(Protocol::ALL) {
            let elements = nft.elements(TABLE, vteps(protocol).name)?;
            *peers = elements.into_iter().map(|element| element.key).collect();
        }
        Ok(Seen {
            rules: nft.rules(TABLE, None)?,
            peers,
        })
    }

    /// Adds to the batch the table and its sets, and as many addresses as go into one transaction;
    /// whether there remain more.
    pub(super) fn mend_sets(
        &self,
        nft: &mut Nft,
        batch: &mut Batch,
        overlay: &Overlay<'_>,
    ) -> Result<bool, Error> {
        if !nft.has_table(TABLE)? {
            batch.add_table(TABLE);
        }
        let mut room = AT_ONCE;
        let mut remain = false;
        for (protocol, mut difference) in self.differences(overlay.peers) {
            let set = vteps(protocol);
            if !nft.has_set(TABLE, set.name)? {
                batch.add_sized_set(TABLE, &set, CAPACITY);
            }
            for keys in [&mut difference.stale, &mut difference.new] {
                remain |= cut(keys, &mut room);
            }
            batch.delete_keys(TABLE, set.name, &difference.stale);
            batch.add_keys(TABLE, set.name, &difference.new);
        }
        Ok(remain)
    }

    /// Adds to the batch the chains that are missing, and the rules of those that hold others.
    pub(super) fn mend_chains(&self, batch: &mut Batch, overlay: &Overlay<'_>) {
        let wrong: Vec<(&str, Vec<Rule>)> = self.wrong(overlay).collect();
        for (chain, hook) in CHAINS.iter().filter(|_| !wrong.is_empty()) {
            batch.add_chain(TABLE, chain, *hook);
        }
        for (chain, rules) in wrong {
            if self.chain(chain).next().is_some() {
                batch.flush_chain(TABLE, chain);
            }
            for rule in rules {
                batch.append_rule(TABLE, chain, &rule);
            }
        }
    }

    pub(super) fn lacks(&self, overlay: &Overlay<'_>) -> Vec<String> {
        let chains = self.wrong(overlay).map(|(chain, _)| {
            format!("chain {chain} of {TABLE} does not hold the overlay's rules")
        });
        let sets = self.differences(overlay.peers);
        let sets = sets.into_iter().flat_map(|(protocol, difference)| {
            let set = vteps(protocol).name;
            let lacks =
                told(&difference.new).map(|peers| format!("set {set} of {TABLE} lacks {peers}"));
            let beyond = told(&difference.stale)
                .map(|peers| format!("set {set} of {TABLE} holds {peers}, not of a known peer"));
            lacks.into_iter().chain(beyond)
        });
        chains.chain(sets).collect()
    }

    /// The chains whose rules are not those wished, with these.
    fn wrong(&self, overlay: &Overlay<'_>) -> impl Iterator<Item = (&'static str, Vec<Rule>)> {
        CHAINS.into_iter().filter_map(|(chain, _)| {
            let rules = ruleset::rules(chain, overlay);
            let right = self.chain(chain).count() == rules.len()
                && self
                    .chain(chain)
                    .zip(&rules)
                    .all(|(have, rule)| have.is(rule));
            (!right).then_some((chain, rules))
        })
    }

    fn chain(&self, name: &str) -> impl Iterator<Item = &Installed> {
        self.rules.iter().filter(move |rule| rule.chain == name)
    }

    fn differences(&self, peers: &[IpAddr]) -> [(Protocol, Difference); 2] {
        let [four, six] = &self.peers;
        [(Protocol::V4, four), (Protocol::V6, six)].map(|(protocol, have)| {
            let wish = keys_of(peers, protocol);
            let difference = Difference {
                new: wish.difference(have).cloned().collect(),
                stale: have.difference(&wish).cloned().collect(),
            };
            (protocol, difference)
        })
    }
}

/// Adds to the batch those that came and are not there, and the deletion of those that went and are.
pub(super) fn update(
    nft: &mut Nft,
    batch: &mut Batch,
    came: &[IpAddr],
    went: &[IpAddr],
) -> Result<(), Error> {
    for protocol in Protocol::ALL {
        let set = vteps(protocol).name;
        let mut unlike = |peers: &[IpAddr], wish: bool| -> Result<Vec<Vec<u8>>, Error> {
            let mut keys = Vec::new();
            for key in keys_of(peers, protocol) {
                if nft.element(TABLE, set, &key)?.is_some() != wish {
                    keys.push(key);
                }
            }
            Ok(keys)
        };
        let (stale, new) = (unlike(went, false)?, unlike(came, true)?);
        batch.delete_keys(TABLE, set, &stale);
        batch.add_keys(TABLE, set, &new);
    }
    Ok(())
}

/// Whether all rules are right and these peers in their sets.
pub(super) fn holds(nft: &mut Nft, overlay: &Overlay<'_>) -> Result<bool, Error> {
    let seen = Seen {
        rules: nft.rules(TABLE, None)?,
        peers: [BTreeSet::new(), BTreeSet::new()],
    };
    if seen.wrong(overlay).next().is_some() {
        return Ok(false);
    }
    for protocol in Protocol::ALL {
        for key in keys_of(overlay.peers, protocol) {
            if nft.element(TABLE, vteps(protocol).name, &key)?.is_none() {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// The keys of the peers' addresses of one protocol, each once.
fn keys_of(peers: &[IpAddr], protocol: Protocol) -> BTreeSet<Vec<u8>> {
    let own = peers.iter().filter(|peer| Protocol::of(**peer) == protocol);
    own.map(|peer| octets(*peer)).collect()
}

/// Cuts the keys to those that there is room for, and takes that from the room.
fn cut(keys: &mut Vec<Vec<u8>>, room: &mut usize) -> bool {
    let each = keys.first().map_or(1, Vec::len) + FRAME;
    let fit = *room / each;
    let more = keys.len() > fit;
    keys.truncate(fit);
    *room -= keys.len() * each;
    more
}

/// The first of the addresses by itself, the others by their number.
fn told(keys: &[Vec<u8>]) -> Option<String> {
    let first = address(keys.first()?)?;
    Some(match keys.len() - 1 {
        0 => first.to_string(),
        more => format!("{first} and {more} more"),
    })
}

fn address(key: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(key).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(key).map(IpAddr::from))
        .ok()
}
