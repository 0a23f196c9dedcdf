// SPDX-License-Identifier: Apache-2.0
//! The expressions that rules are made of.
//!
//! Source: linux/netfilter/nf_tables.h; `nft --debug=netlink` shows the same for a rule in nft's
//! language.

mod write;

use crate::object::Verdict;

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
    /// The mark, which rules set and routing rules match; 4 bytes in the host's order.
    Mark = 3,
    /// The name of the interface it came in by; 16 bytes.
    InputName = 6,
    /// The name of the interface it leaves by; 16 bytes.
    OutputName = 7,
    /// The address family in a table for several; 1 byte.
    Family = 15,
    /// The transport protocol; 1 byte.
    Transport = 16,
}

/// What the kernel knows of the connection that the packet belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Connection {
    /// `ct state`: one bit for where the packet stands in the connection; 4 bytes in the host's
    /// order. Packets without a connection have a state, too.
    State = 0,
    /// `ct status`: what the connection has been through (`IPS_*` of
    /// linux/netfilter/nf_conntrack_common.h); 4 bytes in the host's order. The rule ends if the
    /// packet belongs to none.
    Status = 2,
    /// `ct mark`; 4 bytes in the host's order. The rule ends if the packet belongs to none.
    Mark = 3,
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
    /// `meta mark set` and its kin: the property becomes what the register holds.
    SetMeta(Meta, Register),
    /// Loads a property of the packet's connection.
    Connection(Connection, Register),
    /// `ct mark set`: the property of the connection becomes what the register holds.
    SetConnection(Connection, Register),
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
    /// Keeps the bits of a register that are set in `mask`, and turns over those of `flip`.
    Bits {
        /// The register.
        register: Register,
        /// What is kept.
        mask: &'a [u8],
        /// What is turned over after that; as long as the mask.
        flip: &'a [u8],
    },
    /// The rule goes on if the register begins with these bytes.
    Equal(Register, &'a [u8]),
    /// The rule goes on if the register does not begin with these bytes.
    Unequal(Register, &'a [u8]),
    /// The rule goes on if the register's bytes are not below these, as a number in network order.
    AtLeast(Register, &'a [u8]),
    /// The rule goes on if the register's bytes are not above these, as a number in network order.
    AtMost(Register, &'a [u8]),
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
    /// `fib saddr type`: the same of the source.
    SourceType(Register),
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
    /// `dnat ip to address:port`, both out of registers, where a map may have put them.
    DestinationNat {
        /// `NFPROTO_IPV4` (2) or `NFPROTO_IPV6` (10).
        family: u8,
        /// The register that holds the new address.
        address: Register,
        /// The register that holds the new port.
        port: Register,
    },
}
