// SPDX-License-Identifier: Apache-2.0
//! The tables and base chains of iptables-nft, which lays its rules out in nf_tables. Those of
//! iptables-legacy are elsewhere in the kernel, and are not seen here.

use crate::{Batch, Error, Family, Nft, Table};

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
