// SPDX-License-Identifier: Apache-2.0
//! The tables and base chains of iptables-nft, which lays its rules out in nf_tables. Those of
//! iptables-legacy are elsewhere in the kernel, and are not seen here.

use crate::wire::Writer;
use crate::{Batch, Error, Family, Nft, Rule, Table};

/// Table `nat` of both protocols.
pub(crate) const NAT: [Table<'static>; 2] = tables("nat");
/// Table `filter` of both protocols.
pub(crate) const FILTER: [Table<'static>; 2] = tables("filter");
/// The base chain of `nat` for packets that leave.
pub(crate) const POSTROUTING: &str = "POSTROUTING";
/// The base chain of `filter` for packets for others.
pub(crate) const FORWARD: &str = "FORWARD";

/// `NFT_NAME_MAXLEN` without the NUL.
const LONGEST_NAME: usize = 255;

const fn tables(name: &'static str) -> [Table<'static>; 2] {
    let (four, six) = (Family::Ipv4, Family::Ipv6);
    [Table { family: four, name }, Table { family: six, name }]
}

impl Rule {
    /// A match of iptables, `-m NAME`, as iptables-nft writes it: by the kernel's module `xt_NAME`
    /// and what that one's revision takes, padded to whole words. iptables lists and saves such a
    /// rule; an expression of nf_tables in its place would make it refuse the whole table.
    pub fn iptables_match(mut self, name: &str, revision: u32, content: &[u8]) -> Rule {
        const LIST_ELEMENT: u16 = 1;
        const NAME: u16 = 1;
        const DATA: u16 = 2;
        let fields = |w: &mut Writer| {
            w.text(1, name);
            w.number(2, revision);
            let mut content = content.to_vec();
            content.resize(content.len().next_multiple_of(8), 0);
            w.bytes(3, &content);
        };
        self.expressions.nested(LIST_ELEMENT, |w| {
            w.text(NAME, "match");
            w.nested(DATA, fields);
        });
        self
    }
}

/// Adds the deletion of chains that exist only with the first of them, each called by the one
/// before it, and of the rules by which `base` calls the first. A name that is too long for the
/// kernel is none that it has.
pub(crate) fn unlink(
    nft: &mut Nft,
    batch: &mut Batch,
    table: Table<'_>,
    base: &str,
    chains: &[&str],
) -> Result<(), Error> {
    let Some(first) = chains.first() else {
        return Ok(());
    };
    if first.len() > LONGEST_NAME || !nft.has_chain(table, first)? {
        return Ok(());
    }
    for rule in nft.rules(table, Some(base))? {
        if rule.target().as_deref() == Some(first) {
            batch.delete_rule(table, base, rule.handle);
        }
    }
    for chain in chains {
        if chain.len() <= LONGEST_NAME && nft.has_chain(table, chain)? {
            batch.delete_chain(table, chain);
        }
    }
    Ok(())
}
