// SPDX-License-Identifier: Apache-2.0
//! The maps that mappings are in, and the rules that look packets up in them.

use nft::{Base, DataType, Expr, Found, Meta, Protocol, Register, Rule, Set, Values};

use crate::conditions::of_family;

/// The two maps for the mappings of a family: to verdicts and to the container's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Maps {
    pub(crate) protocol: Protocol,
    /// Whether the keys begin with an address of the host.
    pub(crate) addressed: bool,
}

impl Maps {
    /// In the order in which a packet meets them.
    pub(crate) const ALL: [Maps; 4] = [
        Maps::of(Protocol::V4, true),
        Maps::of(Protocol::V4, false),
        Maps::of(Protocol::V6, true),
        Maps::of(Protocol::V6, false),
    ];

    pub(crate) const fn of(protocol: Protocol, addressed: bool) -> Maps {
        Maps {
            protocol,
            addressed,
        }
    }

    /// The map to the networks' chains.
    pub(crate) const fn verdicts(self) -> &'static str {
        match (self.protocol, self.addressed) {
            (Protocol::V4, true) => "hostport4",
            (Protocol::V4, false) => "hostport4-any",
            (Protocol::V6, true) => "hostport6",
            (Protocol::V6, false) => "hostport6-any",
        }
    }

    /// The map to the container's address and port.
    pub(crate) const fn targets(self) -> &'static str {
        match (self.protocol, self.addressed) {
            (Protocol::V4, true) => "hostport4-to",
            (Protocol::V4, false) => "hostport4-any-to",
            (Protocol::V6, true) => "hostport6-to",
            (Protocol::V6, false) => "hostport6-any-to",
        }
    }

    pub(crate) fn sets(self) -> [Set<'static>; 2] {
        let address = match self.protocol {
            Protocol::V4 => DataType::IPV4,
            Protocol::V6 => DataType::IPV6,
        };
        let key = if self.addressed {
            address.and(DataType::PROTOCOL).and(DataType::PORT)
        } else {
            DataType::PROTOCOL.and(DataType::PORT)
        };
        let set = |name, values| Set { name, key, values };
        [
            set(self.verdicts(), Values::Verdicts),
            set(self.targets(), Values::Of(address.and(DataType::PORT))),
        ]
    }

    /// `[ip daddr .] meta l4proto . th dport` in the registers from the first on.
    fn load(self, rule: Rule) -> Rule {
        let (offset, words) = match self.protocol {
            Protocol::V4 => (16, 1),
            Protocol::V6 => (24, 4),
        };
        let address = Expr::Payload {
            base: Base::Network,
            offset,
            length: words * 4,
            into: Register::word(0),
        };
        let (rule, next) = match self.addressed {
            true => (rule.with(address), words),
            false => (rule, 0),
        };
        rule.with(Expr::Meta(Meta::Transport, Register::word(next)))
            .with(Expr::Payload {
                base: Base::Transport,
                offset: 2,
                length: 2,
                into: Register::word(next + 1),
            })
    }

    pub(crate) fn look_up(self, set: &'static str, found: Found) -> Rule {
        let key = Register::word(0);
        self.load(of_family(self.protocol))
            .with(Expr::Lookup { set, key, found })
    }

    /// `dnat ip to … map @hostport4-to`
    pub(crate) fn translation(self) -> Rule {
        let port = match self.protocol {
            Protocol::V4 => Register::word(1),
            Protocol::V6 => Register::word(4),
        };
        let address = Register::word(0);
        self.look_up(self.targets(), Found::Value(address))
            .with(Expr::DestinationNat {
                family: self.protocol.number(),
                address,
                port,
            })
    }
}
