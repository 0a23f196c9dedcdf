// SPDX-License-Identifier: Apache-2.0
//! Pods' packets let through where the host's own firewall would drop them.
//!
//! An `accept` in a table of ours does not make up for a `drop` in another one, so the rules stand
//! where the decision falls: in table `filter` of iptables-nft, in the chains of the reference
//! plugin and in iptables' own form, which it lists, saves and restores:
//!
//! ```text
//! -A FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD
//! -A CNI-FORWARD -m comment --comment "CNI firewall plugin admin overrides" -j CNI-ADMIN
//! -A CNI-FORWARD -s 10.1.0.5/32 -m comment --comment "podwire pods veth…" -j ACCEPT
//! -A CNI-FORWARD -d 10.1.0.5/32 -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -m comment
//!     --comment "podwire pods veth…" -j ACCEPT
//! ```
//!
//! A table gets them whose `FORWARD` can drop: by its policy, or by rules of others. The chains and
//! what leads to them belong to all networks, and stay until GC finds them unused.

mod rules;

use std::net::IpAddr;

use nft::{Batch, Error, Family, Hook, Installed, Nft, Rule, Table, Verdict};

use crate::owner::{Owner, Valid};

/// The chain of what is let through.
pub(crate) const CHAIN: &str = "CNI-FORWARD";
const FORWARD: &str = "FORWARD";
/// Where the reference plugin drops what its ingress policies forbid; it comes before [`CHAIN`].
const ISOLATION: &str = "CNI-ISOLATION-STAGE-1";
/// Table `filter` of both protocols.
pub(crate) const TABLES: [Table<'static>; 2] = [table(Family::Ipv4), table(Family::Ipv6)];

const fn table(family: Family) -> Table<'static> {
    Table {
        family,
        name: "filter",
    }
}

/// What an attachment needs.
#[derive(Debug)]
pub(crate) struct Passage<'a> {
    /// Whose it is.
    pub(crate) owner: &'a Owner,
    /// Its addresses.
    pub(crate) addresses: &'a [IpAddr],
    /// The chain of the operator's own rules.
    pub(crate) admin_chain: &'a str,
}

impl Passage<'_> {
    /// Lets the attachment's packets through, as far as the operator's rules do.
    pub(crate) fn ensure(&self, nft: &mut Nft) -> Result<(), Error> {
        nft.transact(|nft| {
            let mut batch = Batch::new();
            for table in TABLES {
                if let Some(seen) = self.look(nft, table)? {
                    seen.mend(&mut batch);
                }
            }
            Ok(batch)
        })
    }

    /// What of [`Passage::ensure`] the kernel does not hold, a sentence for each table.
    pub(crate) fn missing(&self, nft: &mut Nft) -> Result<Vec<String>, Error> {
        let mut sentences = Vec::new();
        for table in TABLES {
            if let Some(seen) = self.look(nft, table)? {
                sentences.extend(seen.lack(self.admin_chain));
            }
        }
        Ok(sentences)
    }

    /// What there is of a table in which packets may be dropped, and is concerned.
    fn look(&self, nft: &mut Nft, table: Table<'static>) -> Result<Option<Seen<'_>>, Error> {
        let of_table = |it: &IpAddr| it.is_ipv4() == (table.family == Family::Ipv4);
        let addresses: Vec<_> = self.addresses.iter().copied().filter(of_table).collect();
        if addresses.is_empty() {
            return Ok(None);
        }
        let policy = nft.policy(table, FORWARD)?;
        let seen = Seen {
            table,
            passage: self,
            addresses,
            base: policy.is_some(),
            forward: nft.rules(table, Some(FORWARD))?,
            chain: nft.has_chain(table, CHAIN)?,
            rules: nft.rules(table, Some(CHAIN))?,
            admin_chain: nft.has_chain(table, self.admin_chain)?,
        };
        let concerned = policy.is_some_and(|policy| policy != Verdict::Accept)
            || !seen.forward.is_empty()
            || seen.chain
            || seen.admin_chain;
        Ok(concerned.then_some(seen))
    }
}

/// A table as it is.
struct Seen<'a> {
    table: Table<'static>,
    passage: &'a Passage<'a>,
    addresses: Vec<IpAddr>,
    /// Whether iptables has made the chain that the kernel calls.
    base: bool,
    forward: Vec<Installed>,
    chain: bool,
    rules: Vec<Installed>,
    admin_chain: bool,
}

impl Seen<'_> {
    /// Adds what is missing.
    fn mend(&self, batch: &mut Batch) {
        let Self { table, passage, .. } = *self;
        let admin = passage.admin_chain;
        for (name, there) in [(CHAIN, self.chain), (admin, self.admin_chain)] {
            if !there {
                batch.add_chain(table, name, None);
            }
        }
        if !leads_to(&self.rules, admin) {
            batch.insert_rule(table, CHAIN, &rules::to_admin(admin));
        }
        for rule in self.lacking() {
            batch.append_rule(table, CHAIN, &rule);
        }
        if !self.base {
            batch.add_chain(table, FORWARD, Some(Hook::FORWARD));
        }
        if !leads_to(&self.forward, CHAIN) {
            let isolates = |rule: &Installed| rule.target().as_deref() == Some(ISOLATION);
            let next = self.forward.iter().find(|rule| !isolates(rule));
            match next {
                Some(next) => {
                    let rule = rules::to_chain();
                    batch.insert_rule_before(table, FORWARD, next.handle, &rule);
                }
                None => batch.append_rule(table, FORWARD, &rules::to_chain()),
            }
        }
    }

    /// The sentence of what is missing.
    fn lack(&self, admin: &str) -> Option<String> {
        let table = self.table;
        if !leads_to(&self.forward, CHAIN) {
            return Some(format!(
                "chain {FORWARD} of {table} does not lead to {CHAIN}"
            ));
        }
        if !leads_to(&self.rules, admin) {
            return Some(format!("chain {CHAIN} of {table} does not lead to {admin}"));
        }
        // An attachment that the reference plugin made has rules of its kind.
        let referred = |it: &IpAddr| rules::of_reference(*it).iter().all(|rule| self.has(rule));
        if self.lacking().is_empty() || self.addresses.iter().all(referred) {
            return None;
        }
        let addresses: Vec<_> = self.addresses.iter().map(IpAddr::to_string).collect();
        Some(format!(
            "chain {CHAIN} of {table} does not let the packets of {} through",
            addresses.join(" and ")
        ))
    }

    fn lacking(&self) -> Vec<Rule> {
        let addresses = self.addresses.iter();
        let wished = addresses.flat_map(|it| rules::of_address(self.passage.owner, *it));
        wished.filter(|rule| !self.has(rule)).collect()
    }

    fn has(&self, rule: &Rule) -> bool {
        self.rules.iter().any(|installed| installed.is(rule))
    }
}

fn leads_to(rules: &[Installed], chain: &str) -> bool {
    rules
        .iter()
        .any(|rule| rule.target().as_deref() == Some(chain))
}

/// Takes back what an attachment has, and what the reference plugin made for these addresses.
pub(crate) fn remove(nft: &mut Nft, owner: &Owner, addresses: &[IpAddr]) -> Result<(), Error> {
    let referred: Vec<_> = addresses
        .iter()
        .flat_map(|it| rules::of_reference(*it))
        .collect();
    remove_rules(nft, |rule| {
        owner_of(rule).as_ref() == Some(owner) || referred.iter().any(|wish| rule.is(wish))
    })
}

/// Takes back what attachments of the network have that do not stay; and the chains, when nobody
/// uses them.
pub(crate) fn collect(nft: &mut Nft, valid: &Valid, admin_chain: &str) -> Result<(), Error> {
    remove_rules(nft, |rule| {
        owner_of(rule).is_some_and(|owner| valid.excludes(&owner))
    })?;
    nft.transact(|nft| {
        let mut batch = Batch::new();
        for table in TABLES {
            remove_chains(nft, &mut batch, table, admin_chain)?;
        }
        Ok(batch)
    })
}

/// Whether the reference plugin has guarded attachments on this host.
pub(crate) fn guards_by_reference(nft: &mut Nft) -> Result<bool, Error> {
    Ok(nft.has_chain(TABLES[0], ISOLATION)? || nft.has_chain(TABLES[1], ISOLATION)?)
}

fn owner_of(rule: &Installed) -> Option<Owner> {
    Owner::of_remark(&rule.match_comment()?)
}

fn remove_rules(nft: &mut Nft, gone: impl Fn(&Installed) -> bool) -> Result<(), Error> {
    nft.transact(|nft| {
        let mut batch = Batch::new();
        for table in TABLES {
            for rule in nft.rules(table, Some(CHAIN))?.iter().filter(|it| gone(it)) {
                batch.delete_rule(table, CHAIN, rule.handle);
            }
        }
        Ok(batch)
    })
}

/// The operator's chain goes only if it is empty and nobody else leads to it.
fn remove_chains(
    nft: &mut Nft,
    batch: &mut Batch,
    table: Table<'_>,
    admin: &str,
) -> Result<(), Error> {
    if !nft.has_chain(table, CHAIN)? {
        return Ok(());
    }
    let rules = nft.rules(table, None)?;
    let leads = |rule: &&Installed, to: &str| rule.target().as_deref() == Some(to);
    let mut own = rules.iter().filter(|rule| rule.chain == CHAIN);
    let mut to_own = rules.iter().filter(|rule| leads(rule, CHAIN));
    let to_admin = rules.iter().filter(|rule| leads(rule, admin)).count();
    let of_admin = rules.iter().filter(|rule| rule.chain == admin).count();
    let in_use = own.any(|rule| !leads(&rule, admin)) || to_own.any(|rule| rule.chain != FORWARD);
    if in_use || of_admin > 0 {
        return Ok(());
    }
    for rule in rules.iter().filter(|rule| leads(rule, CHAIN)) {
        batch.delete_rule(table, FORWARD, rule.handle);
    }
    batch.delete_chain(table, CHAIN);
    let own = rules.iter().filter(|rule| rule.chain == CHAIN).count();
    if to_admin == own && nft.has_chain(table, admin)? {
        batch.delete_chain(table, admin);
    }
    Ok(())
}
