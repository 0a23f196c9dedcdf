// SPDX-License-Identifier: Apache-2.0
//! What flanneld left in nf_tables: the rules by which it masquerades what pods send out of the
//! cluster, and by which it lets their packets through the host's firewall.
//!
//! Whoever takes its place makes rules of its own first, and takes these away then: no packet finds
//! neither. Rules of iptables-legacy are not in nf_tables and are not seen here.

use crate::iptables::{FILTER, FORWARD, NAT, POSTROUTING, unlink};
use crate::{Batch, Error, Family, Nft, Table};

/// The chain of its masquerade.
const MASQUERADE_CHAIN: &str = "FLANNEL-POSTRTG";
/// The chain of what it lets through.
pub(crate) const FORWARD_CHAIN: &str = "FLANNEL-FWD";
/// `EnableNFTables`
const TABLES: [Table<'static>; 2] = [
    Table {
        family: Family::Ipv4,
        name: "flannel-ipv4",
    },
    Table {
        family: Family::Ipv6,
        name: "flannel-ipv6",
    },
];
const TABLES_MASQUERADE_CHAIN: &str = "postrtg";

/// What it made there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// Whether it masquerades: its chain has rules, and packets come there.
    pub masquerades: bool,
    /// Its chains and tables, each as one calls it.
    pub objects: Vec<String>,
}

/// Looks for what it made. Writes nothing.
pub fn seen(nft: &mut Nft) -> Result<Traces, Error> {
    let mut traces = Traces::default();
    for (table, base, chain) in chains() {
        if nft.has_chain(table, chain)? {
            traces.objects.push(format!("chain {chain} of {table}"));
            traces.masquerades |= base == POSTROUTING
                && is_called(nft, table, base, chain)?
                && !nft.rules(table, Some(chain))?.is_empty();
        }
    }
    for table in TABLES {
        if nft.has_table(table)? {
            traces.objects.push(table.to_string());
            let rules = nft.rules(table, Some(TABLES_MASQUERADE_CHAIN))?;
            traces.masquerades |= !rules.is_empty();
        }
    }
    Ok(traces)
}

/// Removes it, each table's part in one transaction, and says what there was. A part that cannot be
/// removed, as a chain that others call, keeps no other from it.
pub fn remove(nft: &mut Nft) -> Result<Vec<String>, Error> {
    let Traces { objects, .. } = seen(nft)?;
    if objects.is_empty() {
        return Ok(objects);
    }
    let mut removed = Vec::new();
    for (table, base, chain) in chains() {
        removed.push(nft.transact(|nft| {
            let mut batch = Batch::new();
            unlink(nft, &mut batch, table, base, &[chain])?;
            Ok(batch)
        }));
    }
    for table in TABLES {
        removed.push(nft.transact(|nft| {
            let mut batch = Batch::new();
            if nft.has_table(table)? {
                batch.delete_table(table);
            }
            Ok(batch)
        }));
    }
    removed.into_iter().collect::<Result<(), _>>()?;
    Ok(objects)
}

/// Its chains in the tables of iptables-nft, and the base chains that call them.
fn chains() -> impl Iterator<Item = (Table<'static>, &'static str, &'static str)> {
    let masquerade = NAT.map(|table| (table, POSTROUTING, MASQUERADE_CHAIN));
    let forward = FILTER.map(|table| (table, FORWARD, FORWARD_CHAIN));
    masquerade.into_iter().chain(forward)
}

fn is_called(nft: &mut Nft, table: Table<'_>, base: &str, chain: &str) -> Result<bool, Error> {
    let rules = nft.rules(table, Some(base))?;
    let mut targets = rules.iter().filter_map(crate::Installed::target);
    Ok(targets.any(|target| target == chain))
}
