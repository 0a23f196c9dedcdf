// SPDX-License-Identifier: Apache-2.0
//! What firewalld has been told, kept where it outlives a reload of it: an element for each address.

use std::net::IpAddr;

use nft::{Batch, DataType, Element, Error, Family, Nft, Set, Table, Values};

use super::text_of;
use crate::owner::Owner;

const TABLE: Table<'static> = Table {
    family: Family::Inet,
    name: "podwire",
};
const SETS: [Set<'static>; 2] = [
    set("ingress-zones4", DataType::IPV4),
    set("ingress-zones6", DataType::IPV6),
];

const fn set(name: &'static str, key: DataType) -> Set<'static> {
    Set {
        name,
        key,
        values: Values::None,
    }
}

/// An address that is a source of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// On whose behalf.
    pub(super) owner: Owner,
    /// Which address.
    pub(super) address: IpAddr,
    /// The zone's name, which has no blanks.
    pub(super) zone: String,
}

impl Source {
    /// As firewalld writes it.
    pub(super) fn text(&self) -> String {
        text_of(self.address)
    }

    fn element(&self) -> Element {
        let key = match self.address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        Element {
            key,
            value: None,
            comment: Some(format!("{} {}", self.owner.comment(), self.zone)),
        }
    }

    fn of_element(element: &Element) -> Option<Self> {
        let (owner, zone) = element.comment.as_deref()?.rsplit_once(' ')?;
        let four = <[u8; 4]>::try_from(element.key.as_slice());
        let six = <[u8; 16]>::try_from(element.key.as_slice());
        Some(Self {
            owner: Owner::of_comment(owner)?,
            address: four
                .map(IpAddr::from)
                .or_else(|_| six.map(IpAddr::from))
                .ok()?,
            zone: zone.to_owned(),
        })
    }

    fn set(&self) -> Set<'static> {
        SETS[usize::from(self.address.is_ipv6())]
    }
}

/// All that is known.
pub(super) fn all(nft: &mut Nft) -> Result<Vec<Source>, Error> {
    let mut sources = Vec::new();
    for set in SETS {
        let elements = nft.elements(TABLE, set.name)?;
        sources.extend(elements.iter().filter_map(Source::of_element));
    }
    Ok(sources)
}

/// Keeps these, in place of what was known of their addresses, and returns all that is known then.
pub(super) fn add(nft: &mut Nft, sources: &[Source]) -> Result<Vec<Source>, Error> {
    nft.transact(|nft| {
        let mut batch = Batch::new();
        if !nft.has_table(TABLE)? {
            batch.add_table(TABLE);
        }
        for set in SETS {
            let concerned = sources.iter().any(|source| source.set() == set);
            if concerned && !nft.has_set(TABLE, set.name)? {
                batch.add_set(TABLE, &set);
            }
        }
        for source in sources {
            let (set, element) = (source.set(), source.element());
            match nft.element(TABLE, set.name, &element.key)? {
                Some(held) if held == element => continue,
                Some(held) => batch.delete_element(TABLE, set.name, &held.key),
                None => {}
            }
            batch.add_element(TABLE, set.name, &element);
        }
        Ok(batch)
    })?;
    all(nft)
}

/// Forgets those of these owners; with the last one, the sets and the table.
pub(super) fn remove(nft: &mut Nft, gone: impl Fn(&Owner) -> bool) -> Result<(), Error> {
    nft.transact(|nft| {
        let mut batch = Batch::new();
        for set in SETS {
            let elements = nft.elements(TABLE, set.name)?;
            let is_gone = |element: &&Element| {
                Source::of_element(element).is_some_and(|source| gone(&source.owner))
            };
            let stale: Vec<_> = elements.iter().filter(is_gone).collect();
            if stale.len() == elements.len() && nft.has_set(TABLE, set.name)? {
                batch.delete_set(TABLE, set.name);
                continue;
            }
            for element in stale {
                batch.delete_element(TABLE, set.name, &element.key);
            }
        }
        Ok(batch)
    })?;
    nft.remove_if_empty(TABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_tells_the_source() {
        let owner = Owner {
            network: "pods".to_owned(),
            name: "veth0123456789a".to_owned(),
        };
        for address in ["10.1.5.2", "fd00:1:5::2"] {
            let source = Source {
                owner: owner.clone(),
                address: address.parse().unwrap(),
                zone: "trusted".to_owned(),
            };
            assert_eq!(Source::of_element(&source.element()), Some(source));
        }
    }
}
