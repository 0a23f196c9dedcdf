// SPDX-License-Identifier: Apache-2.0
//! A change of the ruleset: messages that the kernel carries out all together or not at all.
//!
//! Source: linux/netfilter/nf_tables.h. Objects are created exclusively: a batch is made from a
//! look at the ruleset, and re-declaring a chain costs as much as a deletion does.

use crate::comment;
use crate::element::{KEYS_AT_ONCE, element_of, keys_of, write_element, write_key};
use crate::object::{Element, Family, Hook, Set, Table, Values};
use crate::rule::Rule;
use crate::uapi::{SUBSYSTEM, attribute as nfta, verb};
use crate::wire::{ACK, APPEND, CREATE, EXCLUSIVE, Header, NOT_RECURSIVE, Writer};

const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const BATCH_GENERATION: u16 = 1;

/// Changes to be made in one transaction, in order.
#[derive(Debug, Default)]
pub struct Batch {
    messages: Writer,
    /// Where the last message begins.
    last: usize,
    /// What each message asks for; the n-th has sequence number n + 1.
    wishes: Vec<String>,
}

impl Batch {
    /// A batch that changes nothing.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.wishes.is_empty()
    }

    /// `create table`
    pub fn add_table(&mut self, table: Table<'_>) {
        let wish = format!("add {table}");
        self.push(
            verb::NEW_TABLE,
            CREATE | EXCLUSIVE,
            table.family,
            wish,
            |w| {
                w.text(nfta::TABLE_NAME, table.name);
            },
        );
    }

    /// `add chain`; with a hook, a base chain whose policy is to accept. One that is there is left
    /// as it is, and refused if it has another hook.
    pub fn add_chain(&mut self, table: Table<'_>, name: &str, hook: Option<Hook>) {
        let wish = format!("add chain {name} to {table}");
        self.push(verb::NEW_CHAIN, CREATE, table.family, wish, |w| {
            w.text(nfta::CHAIN_TABLE, table.name);
            w.text(nfta::CHAIN_NAME, name);
            if let Some(hook) = hook {
                w.nested(nfta::CHAIN_HOOK, |w| {
                    w.number(nfta::HOOK_NUMBER, hook.number);
                    w.bytes(nfta::HOOK_PRIORITY, &hook.priority.to_be_bytes());
                });
                w.text(nfta::CHAIN_TYPE, hook.kind);
            }
        });
    }

    /// `create set`, `create map`
    pub fn add_set(&mut self, table: Table<'_>, set: &Set<'_>) {
        self.new_set(table, set, None);
    }

    /// `create set` with `size`, above which no element is taken. Its memory is spent at once (for
    /// `n` elements 8 bytes times the power of two above 4n/3). In return a listing is exact: the
    /// table of a set that grows may be rebuilt during one, which then leaves elements out.
    pub fn add_sized_set(&mut self, table: Table<'_>, set: &Set<'_>, size: u32) {
        self.new_set(table, set, Some(size));
    }

    fn new_set(&mut self, table: Table<'_>, set: &Set<'_>, size: Option<u32>) {
        const FLAG_MAP: u32 = 0x8;
        const TYPE_VERDICT: u32 = 0xffff_ff00;
        let wish = format!("add set {} to {table}", set.name);
        let id = u32::try_from(self.wishes.len()).expect("a batch of fewer than 2^32 messages");
        self.push(verb::NEW_SET, CREATE | EXCLUSIVE, table.family, wish, |w| {
            w.text(nfta::SET_TABLE, table.name);
            w.text(nfta::SET_NAME, set.name);
            w.number(nfta::SET_KEY_TYPE, set.key.number);
            w.number(nfta::SET_KEY_LENGTH, set.key.length);
            w.number(nfta::SET_ID, id + 1);
            if let Some(size) = size {
                w.nested(nfta::SET_DESCRIPTION, |w| {
                    w.number(nfta::DESCRIPTION_SIZE, size);
                });
            }
            w.bytes(nfta::SET_USER_DATA, &comment::byte_order(set.key.order));
            let (kind, length) = match set.values {
                Values::None => return,
                Values::Verdicts => (TYPE_VERDICT, 0),
                Values::Of(values) => (values.number, values.length),
            };
            w.number(nfta::SET_FLAGS, FLAG_MAP);
            w.number(nfta::SET_DATA_TYPE, kind);
            w.number(nfta::SET_DATA_LENGTH, length);
        });
    }

    /// `create element`
    pub fn add_element(&mut self, table: Table<'_>, set: &str, element: &Element) {
        let wish = match &element.comment {
            Some(comment) => format!("add element \"{comment}\" to set {set} of {table}"),
            None => format!("add an element to set {set} of {table}"),
        };
        let flags = CREATE | EXCLUSIVE;
        self.push(verb::NEW_ELEMENT, flags, table.family, wish, |w| {
            element_of(w, table, set, |w| write_element(w, element));
        });
    }

    /// `create element` for many keys of a plain set.
    pub fn add_keys(&mut self, table: Table<'_>, set: &str, keys: &[Vec<u8>]) {
        let flags = CREATE | EXCLUSIVE;
        for keys in keys.chunks(KEYS_AT_ONCE) {
            let wish = format!("add {} elements to set {set} of {table}", keys.len());
            self.push(verb::NEW_ELEMENT, flags, table.family, wish, |w| {
                keys_of(w, table, set, keys);
            });
        }
    }

    /// `add rule`: behind the chain's other rules.
    pub fn append_rule(&mut self, table: Table<'_>, chain: &str, rule: &Rule) {
        self.new_rule(table, chain, rule, APPEND, None);
    }

    /// `insert rule`: before the chain's other rules.
    pub fn insert_rule(&mut self, table: Table<'_>, chain: &str, rule: &Rule) {
        self.new_rule(table, chain, rule, 0, None);
    }

    /// `insert rule … position N`: before the rule that has this handle.
    pub fn insert_rule_before(&mut self, table: Table<'_>, chain: &str, next: u64, rule: &Rule) {
        self.new_rule(table, chain, rule, 0, Some(next));
    }

    fn new_rule(
        &mut self,
        table: Table<'_>,
        chain: &str,
        rule: &Rule,
        place: u16,
        next: Option<u64>,
    ) {
        let wish = match &rule.comment {
            Some(comment) => format!("add rule \"{comment}\" to chain {chain} of {table}"),
            None => format!("add a rule to chain {chain} of {table}"),
        };
        self.push(verb::NEW_RULE, CREATE | place, table.family, wish, |w| {
            w.text(nfta::RULE_TABLE, table.name);
            w.text(nfta::RULE_CHAIN, chain);
            w.nested(nfta::RULE_EXPRESSIONS, |w| w.append(&rule.expressions));
            if let Some(text) = &rule.comment {
                w.bytes(nfta::RULE_USER_DATA, &comment::encode(text));
            }
            if let Some(next) = next {
                w.bytes(nfta::RULE_POSITION, &next.to_be_bytes());
            }
        });
    }

    /// `delete rule … handle N`
    pub fn delete_rule(&mut self, table: Table<'_>, chain: &str, handle: u64) {
        let wish = format!("delete rule {handle} of chain {chain} of {table}");
        self.push(verb::DELETE_RULE, 0, table.family, wish, |w| {
            w.text(nfta::RULE_TABLE, table.name);
            w.text(nfta::RULE_CHAIN, chain);
            w.bytes(nfta::RULE_HANDLE, &handle.to_be_bytes());
        });
    }

    /// `flush chain`: all of its rules go.
    pub fn flush_chain(&mut self, table: Table<'_>, chain: &str) {
        let wish = format!("flush chain {chain} of {table}");
        self.push(verb::DELETE_RULE, 0, table.family, wish, |w| {
            w.text(nfta::RULE_TABLE, table.name);
            w.text(nfta::RULE_CHAIN, chain);
        });
    }

    /// `delete chain`, with its rules; nothing may lead to it any more.
    pub fn delete_chain(&mut self, table: Table<'_>, name: &str) {
        let wish = format!("delete chain {name} of {table}");
        self.push(verb::DELETE_CHAIN, 0, table.family, wish, |w| {
            w.text(nfta::CHAIN_TABLE, table.name);
            w.text(nfta::CHAIN_NAME, name);
        });
    }

    /// `delete element`
    pub fn delete_element(&mut self, table: Table<'_>, set: &str, key: &[u8]) {
        let wish = format!("delete an element of set {set} of {table}");
        self.push(verb::DELETE_ELEMENT, 0, table.family, wish, |w| {
            element_of(w, table, set, |w| write_key(w, key));
        });
    }

    /// `delete element` for many keys of a plain set.
    pub fn delete_keys(&mut self, table: Table<'_>, set: &str, keys: &[Vec<u8>]) {
        for keys in keys.chunks(KEYS_AT_ONCE) {
            let wish = format!("delete {} elements of set {set} of {table}", keys.len());
            self.push(verb::DELETE_ELEMENT, 0, table.family, wish, |w| {
                keys_of(w, table, set, keys);
            });
        }
    }

    /// `delete set`, with its elements; no rule may use it any more.
    pub fn delete_set(&mut self, table: Table<'_>, name: &str) {
        let wish = format!("delete set {name} of {table}");
        self.push(verb::DELETE_SET, 0, table.family, wish, |w| {
            w.text(nfta::SET_TABLE, table.name);
            w.text(nfta::SET_NAME, name);
        });
    }

    /// `delete table`, with all that is in it.
    pub fn delete_table(&mut self, table: Table<'_>) {
        let wish = format!("delete {table}");
        self.push(verb::DELETE_TABLE, 0, table.family, wish, |w| {
            w.text(nfta::TABLE_NAME, table.name);
        });
    }

    /// `delete table`, refused with EBUSY while a chain, set or object is in it.
    pub fn delete_empty_table(&mut self, table: Table<'_>) {
        let wish = format!("delete {table}");
        self.push(verb::DELETE_TABLE, NOT_RECURSIVE, table.family, wish, |w| {
            w.text(nfta::TABLE_NAME, table.name);
        });
    }

    fn push(
        &mut self,
        verb: u16,
        flags: u16,
        family: Family,
        wish: String,
        body: impl FnOnce(&mut Writer),
    ) {
        self.last = self.messages.len();
        self.wishes.push(wish);
        let sequence = u32::try_from(self.wishes.len()).expect("fewer than 2^32 messages");
        let kind = SUBSYSTEM << 8 | verb;
        let header = Header {
            kind,
            flags,
            sequence,
            family: family as u8,
            resource: 0,
        };
        self.messages.message(header, body);
    }

    /// What a message asked for, by its sequence number.
    pub(crate) fn wish(&self, sequence: u32) -> &str {
        usize::try_from(sequence)
            .ok()
            .and_then(|n| self.wishes.get(n.checked_sub(1)?))
            .map_or("change the nf_tables ruleset", String::as_str)
    }

    /// The whole batch for one send. With a generation the kernel refuses it (ERESTART) if the
    /// ruleset is another one by now. Only the last message is acknowledged: errors come unasked,
    /// and kernels before 6.10 do not acknowledge the end of a batch.
    pub(crate) fn to_writer(&self, generation: Option<u32>) -> Writer {
        let header = |kind| Header {
            kind,
            flags: 0,
            sequence: 0,
            family: 0,
            resource: SUBSYSTEM,
        };
        let mut w = Writer::default();
        w.message(header(BATCH_BEGIN), |w| {
            if let Some(generation) = generation {
                w.number(BATCH_GENERATION, generation);
            }
        });
        let start = w.len();
        w.append(&self.messages);
        w.add_flags(start + self.last, ACK);
        w.message(header(BATCH_END), |_| {});
        w
    }
}
