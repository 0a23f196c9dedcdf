// SPDX-License-Identifier: Apache-2.0
//! A container on several networks: a runtime sends the same mappings with each of its attachments,
//! and the first one has them.

use nft::{Error, Nft};

use super::ensure::in_the_way;
use crate::holder;
use crate::mapping::Mapping;

/// Of the mappings those that no other attachment of the same container has.
pub(crate) fn without_siblings(
    nft: &mut Nft,
    own: &str,
    mappings: Vec<Mapping>,
) -> Result<Vec<Mapping>, Error> {
    let mut left = Vec::new();
    for mapping in mappings {
        let held = in_the_way(nft, mapping.host)?;
        let has = |sibling: &str| sibling != own && holder::share_container(sibling, own);
        let mut same = held.iter().filter(|held| held.mapping.host == mapping.host);
        if !same.any(|held| has(&held.holder)) {
            left.push(mapping);
        }
    }
    Ok(left)
}
