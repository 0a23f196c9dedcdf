// SPDX-License-Identifier: Apache-2.0
//! The expressions that rules are made of.
//!
//! Source: linux/netfilter/nf_tables.h; `nft --debug=netlink` shows the same for a rule in nft's
//! language.

use crate::object::Verdict;
use crate::wire::Writer;

/// A register of the nf_tables machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register(u32);

impl Register {
    /// The first of the four 16-byte registers.
    pub const FIRST: Register = Register::word(0);
    const VERDICT: Register = Register(0);

    /// The register that begins at the n-th of the sixteen 4-byte words. Where a 16-byte register
    /// begins the kernel calls it by that one's number.
    pub const fn word(n: u32) -> Register {
        if n.is_multiple_of(4) {
            Register(1 + n / 4)
        } else {
            Register(8 + n)
        }
    }
}

/// A property of the packet that is not in its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Meta {
    /// The name of the interface it came in by; 16 bytes.
    InputName = 6,
    /// The name of the interface it leaves by; 16 bytes.
    OutputName = 7,
    /// The address family in a table for several; 1 byte.
    Family = 15,
    /// The transport protocol; 1 byte.
    Transport = 16,
}

/// Where an offset into the packet counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Base {
    /// The Ethernet header.
    Link = 0,
    /// The IP header.
    Network = 1,
    /// The header behind it.
    Transport = 2,
}

/// What a look-up of a key leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The rule goes on if the key is in the set.
    Inside,
    /// The rule goes on if the key is not in the set.
    Outside,
    /// The verdict that the map holds for the key; without one the rule ends.
    Verdict,
    /// The map's value is put into a register; without one the rule ends.
    Value(Register),
}

/// One step of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expr<'a> {
    /// Loads a property of the packet.
    Meta(Meta, Register),
    /// Loads `length` bytes of the packet.
    Payload {
        /// Where `offset` counts from.
        base: Base,
        /// Bytes from there.
        offset: u32,
        /// Bytes to load.
        length: u32,
        /// Where they go.
        into: Register,
    },
    /// Keeps the bits of a register that are set in the mask.
    Mask(Register, &'a [u8]),
    /// The rule goes on if the register begins with these bytes.
    Equal(Register, &'a [u8]),
    /// The rule goes on if the register does not begin with these bytes.
    Unequal(Register, &'a [u8]),
    /// The rule goes on if the register's bytes are not below these, as a number in network order.
    AtLeast(Register, &'a [u8]),
    /// `ct status`: loads what the packet's connection has been through (`IPS_*` of
    /// linux/netfilter/nf_conntrack_common.h); 4 bytes in the host's order. The rule ends if the
    /// packet belongs to none.
    ConnectionStatus(Register),
    /// Looks a register up in a set or map.
    Lookup {
        /// The set's name.
        set: &'a str,
        /// Where the key begins.
        key: Register,
        /// What follows from it.
        found: Found,
    },
    /// Loads bytes.
    Immediate(Register, &'a [u8]),
    /// Decides.
    Verdict(&'a Verdict),
    /// `counter`: counts the packets that come so far, and their bytes.
    Counter,
    /// `fib daddr type`: loads the route type (`RTN_*`) of the destination; 4 bytes.
    DestinationType(Register),
    /// `masquerade fully-random`: the source becomes the outgoing interface's address, with a
    /// source port that cannot be guessed and that concurrent connections do not race for.
    Masquerade,
    /// `masquerade to :first-last fully-random`: the same, with a source port out of a range. Of
    /// ICMP the kernel takes the range for the identifiers, and of GRE for the keys.
    MasqueradeTo {
        /// The register that holds the range's first port.
        first: Register,
        /// The register that holds its last port.
        last: Register,
    },
    /// `notrack`: the packet belongs to no connection. Only in front of conntrack (priority raw).
    NoTrack,
    /// `dnat ip to address:port`.
    DestinationNat {
        /// `NFPROTO_IPV4` (2) or `NFPROTO_IPV6` (10).
        family: u8,
        /// The register that holds the new address.
        address: Register,
        /// The register that holds the new port.
        port: Register,
    },
}

const NAT_FULLY_RANDOM: u32 = 1 << 4;
/// `NF_NAT_RANGE_PROTO_SPECIFIED`
const NAT_PORTS: u32 = 1 << 1;
const NAT_DESTINATION: u32 = 1;
const CONNECTION_STATUS: u32 = 2;
const FIB_ADDRESS_TYPE: u32 = 3;
const FIB_DESTINATION: u32 = 2;
const LOOKUP_INVERTED: u32 = 1;
const EQUAL: u32 = 0;
const UNEQUAL: u32 = 1;
const AT_LEAST: u32 = 5;
const DATA_VALUE: u16 = 1;

impl Expr<'_> {
    fn name(&self) -> &'static str {
        match self {
            Expr::Meta(..) => "meta",
            Expr::Payload { .. } => "payload",
            Expr::Mask(..) => "bitwise",
            Expr::Equal(..) | Expr::Unequal(..) | Expr::AtLeast(..) => "cmp",
            Expr::ConnectionStatus(_) => "ct",
            Expr::Lookup { .. } => "lookup",
            Expr::Immediate(..) | Expr::Verdict(_) => "immediate",
            Expr::Counter => "counter",
            Expr::DestinationType(_) => "fib",
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
            Expr::Meta(key, into) => {
                w.number(1, into.0);
                w.number(2, *key as u32);
            }
            Expr::Payload {
                base,
                offset,
                length,
                into,
            } => {
                w.number(1, into.0);
                w.number(2, *base as u32);
                w.number(3, *offset);
                w.number(4, *length);
            }
            Expr::Mask(register, mask) => write_mask(w, *register, mask),
            Expr::Equal(register, value) => write_comparison(w, *register, EQUAL, value),
            Expr::Unequal(register, value) => write_comparison(w, *register, UNEQUAL, value),
            Expr::AtLeast(register, value) => write_comparison(w, *register, AT_LEAST, value),
            Expr::ConnectionStatus(into) => {
                w.number(1, into.0);
                w.number(2, CONNECTION_STATUS);
            }
            Expr::Lookup { set, key, found } => write_lookup(w, set, *key, *found),
            Expr::Immediate(into, value) => {
                w.number(1, into.0);
                w.nested(2, |w| w.bytes(DATA_VALUE, value));
            }
            Expr::Verdict(verdict) => {
                w.number(1, Register::VERDICT.0);
                w.nested(2, |w| verdict.write(w));
            }
            Expr::DestinationType(into) => {
                w.number(1, into.0);
                w.number(2, FIB_ADDRESS_TYPE);
                w.number(3, FIB_DESTINATION);
            }
            Expr::Masquerade => w.number(1, NAT_FULLY_RANDOM),
            Expr::MasqueradeTo { first, last } => {
                w.number(1, NAT_FULLY_RANDOM | NAT_PORTS);
                w.number(2, first.0);
                w.number(3, last.0);
            }
            Expr::NoTrack | Expr::Counter => {}
            Expr::DestinationNat {
                family,
                address,
                port,
            } => {
                w.number(1, NAT_DESTINATION);
                w.number(2, u32::from(*family));
                w.number(3, address.0);
                w.number(5, port.0);
            }
        }
    }
}

fn write_comparison(w: &mut Writer, register: Register, operation: u32, value: &[u8]) {
    w.number(1, register.0);
    w.number(2, operation);
    w.nested(3, |w| w.bytes(DATA_VALUE, value));
}

fn write_mask(w: &mut Writer, register: Register, mask: &[u8]) {
    w.number(1, register.0);
    w.number(2, register.0);
    w.number(
        3,
        u32::try_from(mask.len()).expect("a mask fits a register"),
    );
    w.nested(4, |w| w.bytes(DATA_VALUE, mask));
    w.nested(5, |w| w.bytes(DATA_VALUE, &vec![0; mask.len()]));
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
