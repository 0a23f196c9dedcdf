// SPDX-License-Identifier: Apache-2.0
//! Look-ups in the ruleset. What is missing is `None` or empty, never an error.

use crate::comment;
use crate::element::{element_of, write_key};
use crate::error::Error;
use crate::object::{BaseChain, Element, Family, Table, Value, Verdict};
use crate::rule::Installed;
use crate::socket::{Nft, Question};
use crate::uapi::{SUBSYSTEM, attribute as nfta, verb};
use crate::wire::{self, Writer};

impl Nft {
    /// `list table`: whether it is there.
    pub fn has_table(&mut self, table: Table<'_>) -> Result<bool, Error> {
        let wish = format!("look up {table}");
        let question = question(verb::GET_TABLE, table, &wish);
        Ok(self
            .get(&question, |w| w.text(nfta::TABLE_NAME, table.name))?
            .is_some())
    }

    /// `list chain`: whether it is there.
    pub fn has_chain(&mut self, table: Table<'_>, name: &str) -> Result<bool, Error> {
        let wish = format!("look up chain {name} of {table}");
        let body = |w: &mut Writer| {
            w.text(nfta::CHAIN_TABLE, table.name);
            w.text(nfta::CHAIN_NAME, name);
        };
        Ok(self
            .get(&question(verb::GET_CHAIN, table, &wish), body)?
            .is_some())
    }

    /// What becomes of packets on which no rule of a base chain decides, if there is that chain.
    pub fn policy(&mut self, table: Table<'_>, name: &str) -> Result<Option<Verdict>, Error> {
        let wish = format!("look up chain {name} of {table}");
        let body = |w: &mut Writer| {
            w.text(nfta::CHAIN_TABLE, table.name);
            w.text(nfta::CHAIN_NAME, name);
        };
        let found = self.get(&question(verb::GET_CHAIN, table, &wish), body)?;
        let policy = found.and_then(|chain| {
            wire::number(wire::find(&chain, nfta::CHAIN_POLICY)?).map(u32::cast_signed)
        });
        Ok(policy.and_then(Verdict::of_code))
    }

    /// `list chains`: those of one family that the kernel calls itself, in no order.
    pub fn base_chains(&mut self, family: Family) -> Result<Vec<BaseChain>, Error> {
        let all = Table { family, name: "" };
        let wish = "list the chains of nf_tables";
        let read = |attributes: &[u8], chains: &mut Vec<BaseChain>| {
            chains.extend(read_base_chain(family, attributes));
        };
        self.dump(&question(verb::GET_CHAIN, all, wish), |_| {}, read)
    }

    /// `list set`, `list map`: whether it is there.
    pub fn has_set(&mut self, table: Table<'_>, name: &str) -> Result<bool, Error> {
        let wish = format!("look up set {name} of {table}");
        let body = |w: &mut Writer| {
            w.text(nfta::SET_TABLE, table.name);
            w.text(nfta::SET_NAME, name);
        };
        Ok(self
            .get(&question(verb::GET_SET, table, &wish), body)?
            .is_some())
    }

    /// The rules of one chain, or of all chains of the table; each chain's in the order in which
    /// packets meet them.
    pub fn rules(
        &mut self,
        table: Table<'_>,
        chain: Option<&str>,
    ) -> Result<Vec<Installed>, Error> {
        let wish = format!("list the rules of {table}");
        let body = |w: &mut Writer| {
            w.text(nfta::RULE_TABLE, table.name);
            if let Some(chain) = chain {
                w.text(nfta::RULE_CHAIN, chain);
            }
        };
        self.dump(
            &question(verb::GET_RULE, table, &wish),
            body,
            |attributes, rules| {
                rules.extend(read_rule(attributes));
            },
        )
    }

    /// `get element`
    pub fn element(
        &mut self,
        table: Table<'_>,
        set: &str,
        key: &[u8],
    ) -> Result<Option<Element>, Error> {
        let wish = format!("look up an element of set {set} of {table}");
        let body = |w: &mut Writer| element_of(w, table, set, |w| write_key(w, key));
        let found = self.get(&question(verb::GET_ELEMENT, table, &wish), body)?;
        Ok(found.and_then(|attributes| read_elements(&attributes).next()))
    }

    /// `list set`, `list map`: its elements.
    pub fn elements(&mut self, table: Table<'_>, set: &str) -> Result<Vec<Element>, Error> {
        let wish = format!("list the elements of set {set} of {table}");
        let body = |w: &mut Writer| {
            w.text(nfta::ELEMENTS_TABLE, table.name);
            w.text(nfta::ELEMENTS_SET, set);
        };
        self.dump(
            &question(verb::GET_ELEMENT, table, &wish),
            body,
            |attributes, elements| {
                elements.extend(read_elements(attributes));
            },
        )
    }
}

fn question<'a>(verb: u16, table: Table<'_>, wish: &'a str) -> Question<'a> {
    Question {
        kind: SUBSYSTEM << 8 | verb,
        family: table.family as u8,
        wish,
    }
}

fn read_base_chain(family: Family, attributes: &[u8]) -> Option<BaseChain> {
    let hook = wire::find(attributes, nfta::CHAIN_HOOK)?;
    let policy = wire::find(attributes, nfta::CHAIN_POLICY).and_then(wire::number);
    Some(BaseChain {
        family,
        table: wire::string(wire::find(attributes, nfta::CHAIN_TABLE)?),
        name: wire::string(wire::find(attributes, nfta::CHAIN_NAME)?),
        hook: wire::number(wire::find(hook, nfta::HOOK_NUMBER)?)?,
        policy: policy.map(u32::cast_signed).and_then(Verdict::of_code),
    })
}

fn read_rule(attributes: &[u8]) -> Option<Installed> {
    let handle = wire::find(attributes, nfta::RULE_HANDLE)?.try_into().ok()?;
    Some(Installed {
        chain: wire::string(wire::find(attributes, nfta::RULE_CHAIN)?),
        handle: u64::from_be_bytes(handle),
        comment: wire::find(attributes, nfta::RULE_USER_DATA).and_then(comment::decode),
        expressions: wire::find(attributes, nfta::RULE_EXPRESSIONS)
            .unwrap_or_default()
            .to_vec(),
    })
}

fn read_elements(attributes: &[u8]) -> impl Iterator<Item = Element> {
    let list = wire::find(attributes, nfta::ELEMENTS).unwrap_or_default();
    wire::attributes(list).filter_map(|(_, element)| {
        let key = wire::find(wire::find(element, nfta::ELEMENT_KEY)?, nfta::DATA_VALUE)?;
        Some(Element {
            key: key.to_vec(),
            value: wire::find(element, nfta::ELEMENT_DATA).and_then(read_value),
            comment: wire::find(element, nfta::ELEMENT_USER_DATA).and_then(comment::decode),
        })
    })
}

fn read_value(value: &[u8]) -> Option<Value> {
    match wire::find(value, nfta::DATA_VALUE) {
        Some(bytes) => Some(Value::Bytes(bytes.to_vec())),
        None => Verdict::read(value).map(Value::Verdict),
    }
}
