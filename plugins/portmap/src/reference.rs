// SPDX-License-Identifier: Apache-2.0
//! What the Go plugin left in nf_tables for a container: by its backend `nftables` rules with the
//! container ID as comment, by `iptables` (of which only the variant in nf_tables is seen here) a
//! chain named after network and container. Both know a container, not its attachments. The shared
//! parts stay, as other containers may use them.

use nft::{Batch, Error, Family, Nft, Table, reference};

const TABLES: [Table<'static>; 2] = [table(Family::Ipv4), table(Family::Ipv6)];
/// `CNI-HOSTPORT-DNAT` calls a container's chain; the name is that prefix and a hash, in all 28 bytes.
const TOP: &str = "CNI-HOSTPORT-DNAT";
const PREFIX: &str = "CNI-DN-";

const fn table(family: Family) -> Table<'static> {
    Table {
        family,
        name: "cni_hostport",
    }
}

/// Removes it; nothing there costs four look-ups.
pub(crate) fn remove(nft: &mut Nft, network: &str, container_id: &str) -> Result<(), Error> {
    nft.transact(|nft| {
        let mut batch = Batch::new();
        reference::unlink_chain(nft, &mut batch, TOP, PREFIX, network, container_id)?;
        for table in TABLES {
            for rule in nft.rules(table, None)? {
                if rule.comment.as_deref() == Some(container_id) {
                    batch.delete_rule(table, &rule.chain, rule.handle);
                }
            }
        }
        Ok(batch)
    })
}
