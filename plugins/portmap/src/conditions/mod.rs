// SPDX-License-Identifier: Apache-2.0
//! `conditionsV4`, `conditionsV6`: what a packet must be like for a network's port mappings to hold
//! for it, in nft's language.
//!
//! ```text
//! conditions  match …                                        all of them must fit
//! match       ip|ip6 saddr|daddr  OP  ADDRESS[/PREFIX]
//!             iifname|oifname|iif|oif  OP  NAME
//!             tcp|udp|sctp|th sport|dport  OP  PORT[-PORT]
//!             [meta] mark  OP  NUMBER
//!             [meta] l4proto  OP  tcp|udp|sctp|NUMBER
//!             fib saddr|daddr type  OP  local|unicast|broadcast|multicast
//!             ct state  OP  new|established|related|invalid|untracked[,…]
//! OP          nothing, ==, eq, !=, ne; then one value, or { value, … }
//! ```
//!
//! A set means one of its members, or with `!=` none of them. nf_tables is told no anonymous set but
//! a rule for each combination.

mod iptables;
mod parse;
mod test;

use cni::{Code, Error};
use nft::{Expr, Meta, Protocol, Register, Rule};

use test::Test;

/// Rules for one network and family; more is a mistake, or asks for named sets.
const MOST_ALTERNATIVES: usize = 128;

/// What packets of one family must be like: all tests of one of the alternatives hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conditions {
    protocol: Protocol,
    alternatives: Vec<Vec<Test>>,
}

/// Reads a list of tokens as the configuration has it; a token may hold several words.
pub(crate) fn parse(tokens: Option<&[String]>, protocol: Protocol) -> Result<Conditions, Error> {
    let key = match protocol {
        Protocol::V4 => "conditionsV4",
        Protocol::V6 => "conditionsV6",
    };
    let text = tokens.unwrap_or_default().join(" ");
    let refused = |why: String| Error::new(Code::INVALID_CONFIG, format!("{key}: {why}"));
    if iptables::is_meant(&text) {
        return Err(refused(iptables::translation(&text, protocol)));
    }
    let clauses = parse::clauses(&text, protocol).map_err(refused)?;
    let alternatives = combined(clauses).ok_or_else(|| {
        refused(format!(
            "more than {MOST_ALTERNATIVES} combinations of values"
        ))
    })?;
    Ok(Conditions {
        protocol,
        alternatives,
    })
}

/// Every choice of one test of each clause.
fn combined(clauses: Vec<Vec<Test>>) -> Option<Vec<Vec<Test>>> {
    let mut alternatives = vec![Vec::new()];
    for clause in clauses {
        if alternatives.len() * clause.len() > MOST_ALTERNATIVES {
            return None;
        }
        let each = alternatives.iter().flat_map(|chosen: &Vec<Test>| {
            clause.iter().map(|test| {
                let mut chosen = chosen.clone();
                chosen.push(test.clone());
                chosen
            })
        });
        alternatives = each.collect();
    }
    Some(alternatives)
}

impl Conditions {
    /// The beginnings of rules for the packets that fit, one for each alternative.
    pub(crate) fn rules(&self) -> Vec<Rule> {
        let rule = |tests: &Vec<Test>| {
            let family = of_family(self.protocol);
            tests.iter().fold(family, |rule, test| test.add_to(rule))
        };
        self.alternatives.iter().map(rule).collect()
    }
}

/// `meta nfproto`
pub(crate) fn of_family(protocol: Protocol) -> Rule {
    Rule::new()
        .with(Expr::Meta(Meta::Family, Register::FIRST))
        .with(Expr::Equal(Register::FIRST, &[protocol.number()]))
}

#[cfg(test)]
mod tests;
