// SPDX-License-Identifier: Apache-2.0
//! Expressions as the kernel is told them.

use super::{Expr, Found, Register};
use crate::wire::Writer;

const NAT_FULLY_RANDOM: u32 = 1 << 4;
/// `NF_NAT_RANGE_PROTO_SPECIFIED`
const NAT_PORTS: u32 = 1 << 1;
const NAT_DESTINATION: u32 = 1;
const FIB_ADDRESS_TYPE: u32 = 3;
const FIB_SOURCE: u32 = 1;
const FIB_DESTINATION: u32 = 2;
const LOOKUP_INVERTED: u32 = 1;
const EQUAL: u32 = 0;
const UNEQUAL: u32 = 1;
const AT_MOST: u32 = 3;
const AT_LEAST: u32 = 5;
const DATA_VALUE: u16 = 1;

impl Expr<'_> {
    fn name(&self) -> &'static str {
        match self {
            Expr::Meta(..) | Expr::SetMeta(..) => "meta",
            Expr::Payload { .. } => "payload",
            Expr::Mask(..) | Expr::Bits { .. } => "bitwise",
            Expr::Equal(..) | Expr::Unequal(..) | Expr::AtLeast(..) | Expr::AtMost(..) => "cmp",
            Expr::Connection(..) | Expr::SetConnection(..) => "ct",
            Expr::Lookup { .. } => "lookup",
            Expr::Immediate(..) | Expr::Verdict(_) => "immediate",
            Expr::Counter => "counter",
            Expr::DestinationType(_) | Expr::SourceType(_) => "fib",
            Expr::Masquerade | Expr::MasqueradeTo { .. } => "masq",
            Expr::NoTrack => "notrack",
            Expr::DestinationNat { .. } => "nat",
        }
    }

    /// As a member of `NFTA_RULE_EXPRESSIONS`.
    pub(crate) fn write(&self, w: &mut Writer) {
        const LIST_ELEMENT: u16 = 1;
        const NAME: u16 = 1;
        const DATA: u16 = 2;
        w.nested(LIST_ELEMENT, |w| {
            w.text(NAME, self.name());
            // What has no fields is told without them.
            if !matches!(self, Expr::NoTrack | Expr::Counter) {
                w.nested(DATA, |w| self.write_fields(w));
            }
        });
    }

    /// The numbers are those of `NFTA_META_*`, `NFTA_PAYLOAD_*` and so on.
    fn write_fields(&self, w: &mut Writer) {
        match self {
            Expr::Meta(key, into) => write_numbers(w, &[(1, into.0), (2, *key as u32)]),
            // `NFTA_META_SREG`, `NFTA_CT_SREG`
            Expr::SetMeta(key, from) => write_numbers(w, &[(2, *key as u32), (3, from.0)]),
            Expr::Connection(key, into) => write_numbers(w, &[(1, into.0), (2, *key as u32)]),
            Expr::SetConnection(key, from) => write_numbers(w, &[(2, *key as u32), (4, from.0)]),
            Expr::Payload {
                base,
                offset,
                length,
                into,
            } => {
                let numbers = [(1, into.0), (2, *base as u32), (3, *offset), (4, *length)];
                write_numbers(w, &numbers);
            }
            Expr::Mask(register, mask) => write_bits(w, *register, mask, &vec![0; mask.len()]),
            Expr::Bits {
                register,
                mask,
                flip,
            } => write_bits(w, *register, mask, flip),
            Expr::Equal(register, value) => write_comparison(w, *register, EQUAL, value),
            Expr::Unequal(register, value) => write_comparison(w, *register, UNEQUAL, value),
            Expr::AtLeast(register, value) => write_comparison(w, *register, AT_LEAST, value),
            Expr::AtMost(register, value) => write_comparison(w, *register, AT_MOST, value),
            Expr::Lookup { set, key, found } => write_lookup(w, set, *key, *found),
            Expr::Immediate(into, value) => {
                w.number(1, into.0);
                w.nested(2, |w| w.bytes(DATA_VALUE, value));
            }
            Expr::Verdict(verdict) => {
                w.number(1, Register::VERDICT.0);
                w.nested(2, |w| verdict.write(w));
            }
            Expr::DestinationType(into) => write_address_type(w, *into, FIB_DESTINATION),
            Expr::SourceType(into) => write_address_type(w, *into, FIB_SOURCE),
            Expr::Masquerade => w.number(1, NAT_FULLY_RANDOM),
            Expr::MasqueradeTo { first, last } => {
                let flags = NAT_FULLY_RANDOM | NAT_PORTS;
                write_numbers(w, &[(1, flags), (2, first.0), (3, last.0)]);
            }
            Expr::NoTrack | Expr::Counter => {}
            Expr::DestinationNat {
                family,
                address,
                port,
            } => {
                let nat = [(1, NAT_DESTINATION), (2, u32::from(*family))];
                write_numbers(w, &nat);
                write_numbers(w, &[(3, address.0), (5, port.0)]);
            }
        }
    }
}

fn write_numbers(w: &mut Writer, numbers: &[(u16, u32)]) {
    for (attribute, number) in numbers {
        w.number(*attribute, *number);
    }
}

fn write_comparison(w: &mut Writer, register: Register, operation: u32, value: &[u8]) {
    w.number(1, register.0);
    w.number(2, operation);
    w.nested(3, |w| w.bytes(DATA_VALUE, value));
}

fn write_address_type(w: &mut Writer, into: Register, whose: u32) {
    w.number(1, into.0);
    w.number(2, FIB_ADDRESS_TYPE);
    w.number(3, whose);
}

fn write_bits(w: &mut Writer, register: Register, mask: &[u8], flip: &[u8]) {
    w.number(1, register.0);
    w.number(2, register.0);
    w.number(
        3,
        u32::try_from(mask.len()).expect("a mask fits a register"),
    );
    w.nested(4, |w| w.bytes(DATA_VALUE, mask));
    w.nested(5, |w| w.bytes(DATA_VALUE, flip));
}

fn write_lookup(w: &mut Writer, set: &str, key: Register, found: Found) {
    w.text(1, set);
    w.number(2, key.0);
    match found {
        Found::Inside | Found::Outside => {}
        Found::Verdict => w.number(3, Register::VERDICT.0),
        Found::Value(into) => w.number(3, into.0),
    }
    w.number(
        5,
        if found == Found::Outside {
            LOOKUP_INVERTED
        } else {
            0
        },
    );
}
