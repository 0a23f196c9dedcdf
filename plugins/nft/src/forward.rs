// SPDX-License-Identifier: Apache-2.0
//! Pods' packets let through where the host's own firewall would drop them.
//!
//! An `accept` in a table of ours does not make up for a `drop` in another one. So the rules stand
//! where the decision falls: in chain `FORWARD` of iptables' table `filter`, whose policy Docker
//! sets to drop. They look as those that iptables-nft makes, which lists them:
//!
//! ```text
//! -A FORWARD -s 10.200.0.0/16 -m comment --comment "podwire: pods of the overlay" -j ACCEPT
//! -A FORWARD -d 10.200.0.0/16 -m comment --comment "podwire: pods of the overlay" -j ACCEPT
//! ```
//!
//! A chain gets them that drops what no rule accepts, or through which flanneld has let pods' packets;
//! one that lets everything through, and one that is not there, stays as it is.

use ipnetwork::IpNetwork;

use crate::flannel::FORWARD_CHAIN;
use crate::iptables::{FILTER, FORWARD};
use crate::{Batch, End, Error, Expr, Family, Installed, Nft, Rule, Table, Verdict};

/// By which the rules are known again.
const COMMENT: &str = "podwire: pods of the overlay";

/// Makes the host let packets from and to these networks through.
pub fn ensure(nft: &mut Nft, networks: &[IpNetwork]) -> Result<(), Error> {
    nft.transact(|nft| {
        let mut batch = Batch::new();
        for table in FILTER {
            let Seen { lacks, stale, next } = Seen::read(nft, table, networks)?;
            for rule in lacks {
                match next {
                    Some(next) => batch.insert_rule_before(table, FORWARD, next, &rule),
                    None => batch.append_rule(table, FORWARD, &rule),
                }
            }
            for handle in stale {
                batch.delete_rule(table, FORWARD, handle);
            }
        }
        Ok(batch)
    })
}

/// What of [`ensure`] the kernel does not hold, or holds beyond it, one sentence for each table.
pub fn missing(nft: &mut Nft, networks: &[IpNetwork]) -> Result<Vec<String>, Error> {
    let mut lacks = Vec::new();
    for table in FILTER {
        let seen = Seen::read(nft, table, networks)?;
        if !seen.lacks.is_empty() || !seen.stale.is_empty() {
            lacks.push(format!(
                "chain {FORWARD} of {table} does not let the overlay's packets through"
            ));
        }
    }
    Ok(lacks)
}

/// The tables whose chain drops what no rule accepts, and has no rule of a network plugin's: what
/// pods send is lost there, unless the host's administrator has seen to it.
pub fn dropping(nft: &mut Nft) -> Result<Vec<Table<'static>>, Error> {
    let mut dropping = Vec::new();
    for table in FILTER {
        if nft.policy(table, FORWARD)? == Some(Verdict::Drop)
            && !nft.rules(table, Some(FORWARD))?.iter().any(is_for_pods)
        {
            dropping.push(table);
        }
    }
    Ok(dropping)
}

/// Whether a rule is Podwire's, or calls the chain of plugin `firewall` or of flanneld.
fn is_for_pods(rule: &Installed) -> bool {
    let of_podwire = |comment: Option<String>| comment.is_some_and(|it| it.starts_with("podwire"));
    let target = rule.target();
    let called = [FORWARD_CHAIN, "CNI-FORWARD"].map(Some);
    called.contains(&target.as_deref())
        || of_podwire(rule.comment.clone())
        || of_podwire(rule.match_comment())
}

/// Takes the rules back.
pub fn remove(nft: &mut Nft) -> Result<(), Error> {
    nft.transact(|nft| {
        let mut batch = Batch::new();
        for table in FILTER {
            for rule in nft.rules(table, Some(FORWARD))?.iter().filter(is_ours) {
                batch.delete_rule(table, FORWARD, rule.handle);
            }
        }
        Ok(batch)
    })
}

/// How the chain of one table differs from what is wished.
struct Seen {
    lacks: Vec<Rule>,
    stale: Vec<u64>,
    /// The rule before which new ones have their place.
    next: Option<u64>,
}

impl Seen {
    fn read(nft: &mut Nft, table: Table<'_>, networks: &[IpNetwork]) -> Result<Seen, Error> {
        let rules = nft.rules(table, Some(FORWARD))?;
        let flannels = |rule: &&Installed| rule.target().as_deref() == Some(FORWARD_CHAIN);
        let next = rules.iter().find(flannels).map(|rule| rule.handle);
        let concerned = next.is_some()
            || rules.iter().any(|rule| is_ours(&rule))
            || nft.policy(table, FORWARD)? == Some(Verdict::Drop);
        let wish = if concerned {
            wished(table, networks)
        } else {
            Vec::new()
        };
        let is_wished = |rule: &&Installed| wish.iter().any(|wish| rule.is(wish));
        let stale = rules.iter().filter(is_ours).filter(|it| !is_wished(it));
        let stale = stale.map(|rule| rule.handle).collect();
        let held = |wish: &Rule| rules.iter().any(|rule| rule.is(wish));
        let lacks = wish.into_iter().filter(|wish| !held(wish)).collect();
        Ok(Seen { lacks, stale, next })
    }
}

fn wished(table: Table<'_>, networks: &[IpNetwork]) -> Vec<Rule> {
    let of_table = |network: &&IpNetwork| network.is_ipv4() == (table.family == Family::Ipv4);
    let accept = |(network, end)| {
        Rule::new()
            .prefix(end, network)
            .with(Expr::Counter)
            .verdict(&Verdict::Accept)
            .comment(COMMENT)
    };
    let networks = networks.iter().filter(of_table);
    let ends = networks.flat_map(|it| [End::Source, End::Destination].map(|end| (*it, end)));
    ends.map(accept).collect()
}

/// Also after iptables has saved and restored it, which puts the comment elsewhere: then it gives way
/// to what we made.
fn is_ours(rule: &&Installed) -> bool {
    rule.comment.as_deref() == Some(COMMENT) || rule.match_comment().as_deref() == Some(COMMENT)
}
