// SPDX-License-Identifier: Apache-2.0
//! The difference between what an attachment wants and what the table holds, as CHECK tells it.

use nft::{Error, Nft};

use super::Wish;
use super::element::{elements, key_of, maps_of};
use super::ensure::{begins_with, chains_of, has, holds};
use crate::mapping::Mapping;
use crate::ruleset::{self, CHAINS, POSTROUTING, TABLE};

/// What of the wish the kernel does not hold, one sentence each.
pub(crate) fn missing(nft: &mut Nft, wish: &Wish<'_>) -> Result<Vec<String>, Error> {
    let rules = nft.rules(TABLE, None)?;
    let mut lacks = Vec::new();
    for (chain, _) in CHAINS {
        if !begins_with(&rules, chain, &ruleset::shared(chain)) {
            lacks.push(format!("chain {chain} of {TABLE} does not hold its rules"));
        }
    }
    let Wish { network, .. } = wish;
    for (chain, wished) in chains_of(network) {
        if !holds(&rules, &chain, &wished) {
            lacks.push(format!(
                "chain {chain} of {TABLE} does not hold the network's rules"
            ));
        }
    }
    let translation = network.translation();
    for address in wish.targets() {
        let rule = network.neighbours(*address);
        if rule.is_some_and(|rule| !has(&rules, &translation, &rule)) {
            lacks.push(format!(
                "chain {translation} of {TABLE} does not hide the neighbours of {address}"
            ));
        }
    }
    if network
        .masquerade()
        .is_some_and(|it| !has(&rules, POSTROUTING, &it))
    {
        lacks.push(format!(
            "chain {POSTROUTING} of {TABLE} lacks the network's rule"
        ));
    }
    for mapping in wish.mappings {
        lacks.extend(lack_of(nft, wish, mapping)?);
    }
    Ok(lacks)
}

/// What is wrong with a mapping.
fn lack_of(nft: &mut Nft, wish: &Wish<'_>, mapping: &Mapping) -> Result<Option<String>, Error> {
    let maps = maps_of(&mapping.host);
    let key = key_of(&mapping.host);
    let wished = elements(mapping, wish.holder, &wish.network.entry());
    for (set, wished) in [maps.verdicts(), maps.targets()].into_iter().zip(&wished) {
        let found = nft.element(TABLE, set, &key)?;
        if found.as_ref() == Some(wished) {
            continue;
        }
        let host = mapping.host;
        return Ok(Some(match found {
            None => format!(
                "map {set} of {TABLE} does not lead {host} to {}",
                mapping.target
            ),
            Some(other) => {
                let holder = other.comment.unwrap_or_default();
                let target = mapping.target;
                format!(
                    "map {set} of {TABLE} does not lead {host} to {target}: it is {holder:?}'s or leads elsewhere"
                )
            }
        }));
    }
    Ok(None)
}
