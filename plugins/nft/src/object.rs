// SPDX-License-Identifier: Apache-2.0
//! The objects of a ruleset as one states them to the kernel.

/// The protocol family of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Family {
    /// IPv4 and IPv6 in one table.
    Inet = 1,
    /// IPv4.
    Ipv4 = 2,
    /// Frames that a bridge forwards.
    Bridge = 7,
    /// IPv6.
    Ipv6 = 10,
}

/// A table's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table<'a> {
    /// Which packets it sees.
    pub family: Family,
    /// Its name, unique in the family.
    pub name: &'a str,
}

impl std::fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let family = match self.family {
            Family::Inet => "inet",
            Family::Ipv4 => "ip",
            Family::Bridge => "bridge",
            Family::Ipv6 => "ip6",
        };
        write!(f, "table {family} {}", self.name)
    }
}

/// Where the kernel calls a base chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hook {
    /// `nat` or `filter`.
    pub kind: &'static str,
    /// The hook's number: `NF_INET_*`, or `NF_BR_*` in a bridge table.
    pub number: u32,
    /// Chains of one hook run from the lowest priority to the highest.
    pub priority: i32,
}

impl Hook {
    /// `type nat hook postrouting priority srcnat`.
    pub const SOURCE_NAT: Hook = Hook {
        kind: "nat",
        number: 4,
        priority: 100,
    };
    /// `type filter hook prerouting priority raw`: packets that come in, before conntrack.
    pub const RAW_PREROUTING: Hook = Hook::filter(0, -300);
    /// `type filter hook output priority raw`: packets of this host, before conntrack.
    pub const RAW_OUTPUT: Hook = Hook::filter(3, -300);
    /// `type filter hook input priority filter`: packets for this host.
    pub const INPUT: Hook = Hook::filter(1, 0);
    /// `type filter hook forward priority filter`: packets for others.
    pub const FORWARD: Hook = Hook::filter(2, 0);
    /// `type filter hook postrouting priority srcnat + 10`: packets that leave, as they are after
    /// their translation.
    pub const TRANSLATED: Hook = Hook::filter(4, 110);
    /// `type filter hook prerouting priority dstnat`, in a bridge table.
    pub const BRIDGE_INPUT: Hook = Hook::filter(0, -300);

    /// `type filter hook forward priority filter`, in a bridge table: frames from port to port.
    pub const BRIDGE_FORWARD: Hook = Hook::filter(2, -200);

    const fn filter(number: u32, priority: i32) -> Hook {
        Hook {
            kind: "filter",
            number,
            priority,
        }
    }
}

/// A chain that the kernel calls, as it is found in the ruleset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseChain {
    /// The family of its table.
    pub family: Family,
    /// Its table's name.
    pub table: String,
    /// Its own name.
    pub name: String,
    /// The hook's number, as [`Hook::number`].
    pub hook: u32,
    /// What becomes of packets on which no rule decides.
    pub policy: Option<Verdict>,
}

/// The type of a set's keys or values: what nft(8) shows them as, and their length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataType {
    /// nft's number for the type; a concatenation holds six bits for each part.
    pub(crate) number: u32,
    /// Bytes; each part of a concatenation is padded to four.
    pub(crate) length: u32,
    /// How nft(8) reads the key's bytes; the kernel does not care.
    pub(crate) order: ByteOrder,
}

/// nft's byte order of a type, `enum byteorder`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum ByteOrder {
    Host = 1,
    Network = 2,
}

impl DataType {
    /// `ipv4_addr`.
    pub const IPV4: DataType = DataType::of(7, 4, ByteOrder::Network);
    /// `ipv6_addr`.
    pub const IPV6: DataType = DataType::of(8, 16, ByteOrder::Network);
    /// `ether_addr`.
    pub const MAC: DataType = DataType::of(9, 6, ByteOrder::Network);
    /// `inet_proto`.
    pub const PROTOCOL: DataType = DataType::of(12, 1, ByteOrder::Network);
    /// `inet_service`.
    pub const PORT: DataType = DataType::of(13, 2, ByteOrder::Network);
    /// `ifname`.
    pub const INTERFACE: DataType = DataType::of(41, 16, ByteOrder::Host);

    const fn of(number: u32, length: u32, order: ByteOrder) -> DataType {
        DataType {
            number,
            length,
            order,
        }
    }

    /// `self . next`: both parts together as one key.
    pub const fn and(self, next: DataType) -> DataType {
        let length = self.length.next_multiple_of(4) + next.length.next_multiple_of(4);
        DataType::of(self.number << 6 | next.number, length, ByteOrder::Network)
    }
}

/// What a set maps its keys to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// Nothing: a plain set.
    None,
    /// Verdicts: a verdict map.
    Verdicts,
    /// Values of a type: a map.
    Of(DataType),
}

/// A named set or map of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set<'a> {
    /// Its name, unique in the table.
    pub name: &'a str,
    /// The type of its keys.
    pub key: DataType,
    /// What the keys lead to.
    pub values: Values,
}

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No further rule of this base chain sees it.
    Accept,
    /// It ends here.
    Drop,
    /// Back to the calling chain; in a base chain, its policy.
    Return,
    /// On to a chain, and back after it.
    Jump(String),
    /// On to a chain, and not back.
    Goto(String),
}

/// A member of a set or map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// The key, as the packet carries it; the parts of a concatenation padded to four bytes each.
    pub key: Vec<u8>,
    /// Where the key leads, in a map.
    pub value: Option<Value>,
    /// What operators read beside it.
    pub comment: Option<String>,
}

/// What a map holds for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// In a verdict map.
    Verdict(Verdict),
    /// In another map; laid out as a key is.
    Bytes(Vec<u8>),
}
