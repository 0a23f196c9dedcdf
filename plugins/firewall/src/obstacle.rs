// SPDX-License-Identifier: Apache-2.0
//! What keeps pods' packets from passing and can't be overruled: a base chain of somebody else's
//! nf_tables table that drops what it does not accept. All that can be done is to say it.

use nft::{BaseChain, Error, Family, Hook, Installed, Nft, Table, Verdict};

use crate::forward;

/// Our own tables.
const OURS: &str = "podwire";

/// A chain that drops by policy.
#[derive(Debug)]
pub(crate) struct Obstacle {
    /// Which chain.
    chain: BaseChain,
    /// Whether none of its rules lets anything through.
    pub(crate) certain: bool,
}

impl Obstacle {
    /// The sentence for whoever has to make the chain let packets through.
    pub(crate) fn sentence(&self) -> String {
        let BaseChain { name, .. } = &self.chain;
        let table = table(&self.chain);
        if self.certain {
            format!(
                "chain {name} of {table} drops every packet that this host forwards, and no rule \
                 elsewhere can overrule it: accept the pods' packets there"
            )
        } else {
            format!(
                "chain {name} of {table} drops what its own rules do not accept, and no rule \
                 elsewhere can overrule it: see that they accept the pods' packets"
            )
        }
    }
}

/// Looks for them, for the protocols of an attachment.
pub(crate) fn seek(nft: &mut Nft, families: &[Family]) -> Result<Vec<Obstacle>, Error> {
    let mut found = Vec::new();
    for family in families {
        for chain in nft.base_chains(*family)? {
            if !drops(&chain) {
                continue;
            }
            let rules = nft.rules(table(&chain), Some(&chain.name))?;
            let certain = !rules.iter().any(Installed::may_let_through);
            found.push(Obstacle { chain, certain });
        }
    }
    Ok(found)
}

fn drops(chain: &BaseChain) -> bool {
    let is_iptables = forward::TABLES.contains(&table(chain)) && chain.name == "FORWARD";
    chain.hook == Hook::FORWARD.number
        && chain.policy == Some(Verdict::Drop)
        && chain.table != OURS
        && !is_iptables
}

fn table(chain: &BaseChain) -> Table<'_> {
    Table {
        family: chain.family,
        name: &chain.table,
    }
}
