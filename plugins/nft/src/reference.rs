// SPDX-License-Identifier: Apache-2.0
//! What the Go plugins left in nf_tables for an attachment that they made.
//!
//! So a node can be switched over with its pods running: the end of such an attachment takes its
//! traces away. Their shared parts (tables, base chains) stay, since other attachments may use
//! them. Rules of iptables-legacy are not in nf_tables and are not seen here.

use crate::iptables::{NAT, POSTROUTING, unlink};
use crate::{Batch, Error, Family, Nft, Table, comment};

/// `ipMasqBackend: nftables`
const MASQUERADE: Table<'static> = Table {
    family: Family::Inet,
    name: "cni_plugins_masquerade",
};
const MASQUERADE_CHAIN: &str = "masq_checks";
/// `macspoofchk`
const BRIDGE: Table<'static> = Table {
    family: Family::Bridge,
    name: "nat",
};
const PREROUTING: &str = "PREROUTING";

/// Removes what the Go plugins made for this attachment; nothing there costs four look-ups. Two
/// attachments of one container to one network share the iptables chain: it goes with the first.
pub fn remove(nft: &mut Nft, network: &str, container_id: &str, ifname: &str) -> Result<(), Error> {
    let chain = chain_name("CNI-", network, container_id);
    // pkg/link spoofcheck.go
    let port = format!("cni-br-iface-{container_id}-{ifname}");
    let port_mac = format!("{port}-mac");
    let comment = masquerade_comment(network, container_id, ifname);
    nft.transact(|nft| {
        let mut batch = Batch::new();
        // `ipMasqBackend: iptables`
        for table in NAT {
            unlink(nft, &mut batch, table, POSTROUTING, &[&chain])?;
        }
        unlink(nft, &mut batch, BRIDGE, PREROUTING, &[&port, &port_mac])?;
        for rule in nft.rules(MASQUERADE, Some(MASQUERADE_CHAIN))? {
            if rule
                .comment
                .is_some_and(|found| found.starts_with(&comment))
            {
                batch.delete_rule(MASQUERADE, MASQUERADE_CHAIN, rule.handle);
            }
        }
        Ok(batch)
    })
}

/// Adds the removal of the chain of table `nat` that the Go plugins made for a container in iptables,
/// and of its call in `base`. The chain's name begins with `prefix`.
pub fn unlink_chain(
    nft: &mut Nft,
    batch: &mut Batch,
    base: &str,
    prefix: &str,
    network: &str,
    container_id: &str,
) -> Result<(), Error> {
    let chain = chain_name(prefix, network, container_id);
    for table in NAT {
        unlink(nft, batch, table, base, &[&chain])?;
    }
    Ok(())
}

/// The name of a container's chain, of 28 bytes (pkg/utils MustFormatChainNameWithPrefix).
fn chain_name(prefix: &str, network: &str, container_id: &str) -> String {
    const LENGTH: usize = 28;
    let digits = LENGTH.saturating_sub(prefix.len());
    let hash = comment::hash(digits, &format!("{network}{container_id}"));
    format!("{prefix}{hash}")
}

/// How the comment of the attachment's masquerade rules begins (pkg/ip ipmasq_nftables_linux.go).
fn masquerade_comment(network: &str, container_id: &str, ifname: &str) -> String {
    let instance = comment::hash(16, &format!("{ifname}:{container_id}"));
    format!("{}-{instance}", comment::hash(16, network))
}
