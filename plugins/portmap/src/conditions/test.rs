// SPDX-License-Identifier: Apache-2.0
//! One test of a packet, and the expressions that make it.

use ipnetwork::IpNetwork;
use nft::{Base, Connection, End, Expr, Meta, Register, Rule};

const REGISTER: Register = Register::FIRST;

/// What of a packet is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    InputName,
    OutputName,
    Mark,
    Transport,
    /// The source port.
    Sport,
    /// The destination port.
    Dport,
    /// The type of the source address.
    SourceType,
    /// The type of the destination address.
    DestinationType,
    State,
}

/// A comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Within(End, IpNetwork),
    Outside(End, IpNetwork),
    Equal(Field, Vec<u8>),
    Unequal(Field, Vec<u8>),
    /// From the first to the second, as numbers in network order.
    Between(Field, Vec<u8>, Vec<u8>),
    /// One of the bits is set.
    Some(Field, u32),
    /// None of them is.
    None(Field, u32),
}

impl Field {
    fn load(self) -> Expr<'static> {
        let port = |offset| Expr::Payload {
            base: Base::Transport,
            offset,
            length: 2,
            into: REGISTER,
        };
        match self {
            Field::InputName => Expr::Meta(Meta::InputName, REGISTER),
            Field::OutputName => Expr::Meta(Meta::OutputName, REGISTER),
            Field::Mark => Expr::Meta(Meta::Mark, REGISTER),
            Field::Transport => Expr::Meta(Meta::Transport, REGISTER),
            Field::Sport => port(0),
            Field::Dport => port(2),
            Field::SourceType => Expr::SourceType(REGISTER),
            Field::DestinationType => Expr::DestinationType(REGISTER),
            Field::State => Expr::Connection(Connection::State, REGISTER),
        }
    }
}

impl Test {
    /// Adds the test to a rule for packets of its family.
    pub(super) fn add_to(&self, rule: Rule) -> Rule {
        match self {
            Test::Within(end, network) => rule.prefix(*end, *network),
            Test::Outside(end, network) => rule.outside(*end, *network),
            Test::Equal(field, value) => rule.with(field.load()).with(Expr::Equal(REGISTER, value)),
            Test::Unequal(field, value) => {
                rule.with(field.load()).with(Expr::Unequal(REGISTER, value))
            }
            Test::Between(field, first, last) => rule
                .with(field.load())
                .with(Expr::AtLeast(REGISTER, first))
                .with(Expr::AtMost(REGISTER, last)),
            Test::Some(field, bits) => {
                masked(rule, *field, *bits).with(Expr::Unequal(REGISTER, &[0; 4]))
            }
            Test::None(field, bits) => {
                masked(rule, *field, *bits).with(Expr::Equal(REGISTER, &[0; 4]))
            }
        }
    }
}

fn masked(rule: Rule, field: Field, bits: u32) -> Rule {
    rule.with(field.load())
        .with(Expr::Mask(REGISTER, &bits.to_ne_bytes()))
}
