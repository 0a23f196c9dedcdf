// SPDX-License-Identifier: Apache-2.0
//! Elements of sets and maps as nf_tables frames them (`NFTA_SET_ELEM_LIST_*`).

use crate::comment;
use crate::object::{Element, Table, Value};
use crate::uapi::attribute as nfta;
use crate::wire::Writer;

/// Keys in one message: an attribute's length is a number of 16 bits.
pub(crate) const KEYS_AT_ONCE: usize = 1000;

/// One element of a set.
pub(crate) fn element_of(
    w: &mut Writer,
    table: Table<'_>,
    set: &str,
    element: impl FnOnce(&mut Writer),
) {
    list_of(w, table, set, |w| w.nested(nfta::LIST_ELEMENT, element));
}

/// Several elements of a plain set.
pub(crate) fn keys_of(w: &mut Writer, table: Table<'_>, set: &str, keys: &[Vec<u8>]) {
    list_of(w, table, set, |w| {
        for key in keys {
            w.nested(nfta::LIST_ELEMENT, |w| write_key(w, key));
        }
    });
}

fn list_of(w: &mut Writer, table: Table<'_>, set: &str, elements: impl FnOnce(&mut Writer)) {
    w.text(nfta::ELEMENTS_TABLE, table.name);
    w.text(nfta::ELEMENTS_SET, set);
    w.nested(nfta::ELEMENTS, elements);
}

pub(crate) fn write_key(w: &mut Writer, key: &[u8]) {
    w.nested(nfta::ELEMENT_KEY, |w| w.bytes(nfta::DATA_VALUE, key));
}

pub(crate) fn write_element(w: &mut Writer, element: &Element) {
    write_key(w, &element.key);
    match &element.value {
        Some(Value::Verdict(verdict)) => w.nested(nfta::ELEMENT_DATA, |w| verdict.write(w)),
        Some(Value::Bytes(bytes)) => {
            w.nested(nfta::ELEMENT_DATA, |w| w.bytes(nfta::DATA_VALUE, bytes));
        }
        None => {}
    }
    if let Some(text) = &element.comment {
        w.bytes(nfta::ELEMENT_USER_DATA, &comment::encode(text));
    }
}
