// SPDX-License-Identifier: Apache-2.0
//! The sets, chains and rules that stand for all guarded pods.

use nft::{
    Batch, DataType, Element, Error, Expr, Family, Found, Hook, Meta, Nft, Register, Rule, Set,
    Table, Values,
};

/// Where packets pass from interface to interface.
pub(super) const INET: Table<'static> = table(Family::Inet);
/// Where frames pass from port to port.
pub(super) const BRIDGE: Table<'static> = table(Family::Bridge);
const CHAIN: &str = "ingress";

/// Who is guarded: attachment and bridge.
pub(super) const PODS: Set<'static> = Set {
    name: "ingress-pods",
    key: DataType::INTERFACE.and(DataType::INTERFACE),
    values: Values::None,
};
/// Bridges between which nothing passes.
pub(super) const BRIDGES: Set<'static> = Set {
    name: "ingress-bridges",
    key: DataType::INTERFACE,
    values: Values::None,
};
/// What becomes of packets from a bridge to itself.
pub(super) const WITHIN: Set<'static> = Set {
    name: "ingress-within",
    key: DataType::INTERFACE.and(DataType::INTERFACE),
    values: Values::Verdicts,
};
/// The ports of isolated pods.
pub(super) const PORTS: Set<'static> = Set {
    name: "ingress-ports",
    key: DataType::INTERFACE,
    values: Values::None,
};

/// The ports that lead to the interfaces by which the host routes VLANs of a bridge.
pub(super) const GATEWAYS: Set<'static> = Set {
    name: "ingress-gateways",
    key: DataType::INTERFACE,
    values: Values::None,
};

const fn table(family: Family) -> Table<'static> {
    Table {
        family,
        name: "podwire",
    }
}

/// Both tables with what is ours in them.
fn all() -> [(Table<'static>, Hook, Vec<Set<'static>>, [Rule; 2]); 2] {
    let look_up = |rule: Rule, name, set, found| {
        let key = Register::FIRST;
        rule.with(Expr::Meta(name, key))
            .with(Expr::Lookup { set, key, found })
    };
    let within = Rule::new()
        .with(Expr::Meta(Meta::InputName, Register::FIRST))
        .with(Expr::Meta(Meta::OutputName, Register::word(4)))
        .with(Expr::Lookup {
            set: WITHIN.name,
            key: Register::FIRST,
            found: Found::Verdict,
        });
    let between = look_up(Rule::new(), Meta::InputName, BRIDGES.name, Found::Inside);
    let between = look_up(between, Meta::OutputName, BRIDGES.name, Found::Inside);
    let ways = [Meta::InputName, Meta::OutputName];
    let of_ports = [ways, [ways[1], ways[0]]].map(|[own, other]| {
        let rule = look_up(Rule::new(), own, PORTS.name, Found::Inside);
        look_up(rule, other, GATEWAYS.name, Found::Outside)
    });
    let sets = vec![PODS, BRIDGES, WITHIN];
    [
        (INET, Hook::FORWARD, sets, [within, between.drop()]),
        (
            BRIDGE,
            Hook::BRIDGE_FORWARD,
            vec![PORTS, GATEWAYS],
            of_ports.map(Rule::drop),
        ),
    ]
}

/// Whether any of it is there.
pub(super) fn are_there(nft: &mut Nft) -> Result<bool, Error> {
    Ok(nft.has_chain(INET, CHAIN)? || nft.has_chain(BRIDGE, CHAIN)?)
}

/// Adds what is missing.
pub(super) fn add(nft: &mut Nft, batch: &mut Batch) -> Result<(), Error> {
    for (table, hook, sets, rules) in all() {
        if !nft.has_table(table)? {
            batch.add_table(table);
        }
        for set in sets {
            if !nft.has_set(table, set.name)? {
                batch.add_set(table, &set);
            }
        }
        let installed = nft.rules(table, Some(CHAIN))?;
        let as_wished = installed.len() == rules.len()
            && installed
                .iter()
                .zip(&rules)
                .all(|(have, rule)| have.is(rule));
        if as_wished {
            continue;
        }
        if installed.is_empty() {
            batch.add_chain(table, CHAIN, Some(hook));
        } else {
            batch.flush_chain(table, CHAIN);
        }
        for rule in &rules {
            batch.append_rule(table, CHAIN, rule);
        }
    }
    Ok(())
}

/// Adds the removal of all of it: the chains first, whose rules use the sets.
pub(super) fn remove(nft: &mut Nft, batch: &mut Batch) -> Result<(), Error> {
    for (table, _, sets, _) in all() {
        if nft.has_chain(table, CHAIN)? {
            batch.delete_chain(table, CHAIN);
        }
        for set in sets {
            if nft.has_set(table, set.name)? {
                batch.delete_set(table, set.name);
            }
        }
    }
    Ok(())
}

/// Makes the elements of a set those that are wished.
pub(super) fn settle(
    nft: &mut Nft,
    batch: &mut Batch,
    (table, set): (Table<'_>, Set<'_>),
    wished: &[Element],
) -> Result<(), Error> {
    let held = nft.elements(table, set.name)?;
    for element in held.iter().filter(|held| !wished.contains(held)) {
        batch.delete_element(table, set.name, &element.key);
    }
    for element in wished.iter().filter(|wished| !held.contains(wished)) {
        batch.add_element(table, set.name, element);
    }
    Ok(())
}

/// A sentence for each chain that lacks a rule.
pub(super) fn missing_rules(nft: &mut Nft) -> Result<Vec<String>, Error> {
    let mut sentences = Vec::new();
    for (table, _, _, rules) in all() {
        let installed = nft.rules(table, Some(CHAIN))?;
        let has = |rule: &Rule| installed.iter().any(|have| have.is(rule));
        if !rules.iter().all(has) {
            sentences.push(format!("chain {CHAIN} of {table} lacks a rule"));
        }
    }
    Ok(sentences)
}
