// SPDX-License-Identifier: Apache-2.0
//! Rules: as one wishes them, and as the kernel holds them.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::expr::{Base, Expr, Found, Meta, Register};
use crate::object::Verdict;
use crate::wire::{self, Writer};

/// Which address of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Where it comes from.
    Source,
    /// Where it goes to.
    Destination,
}

/// The version of the Internet protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Protocol {
    /// Both, in the order in which rules are laid out.
    pub const ALL: [Protocol; 2] = [Protocol::V4, Protocol::V6];

    /// The version that an address belongs to.
    pub fn of(address: IpAddr) -> Protocol {
        if address.is_ipv4() {
            Protocol::V4
        } else {
            Protocol::V6
        }
    }

    /// `NFPROTO_*`, as `meta nfproto` yields it.
    pub fn number(self) -> u8 {
        match self {
            Protocol::V4 => 2,
            Protocol::V6 => 10,
        }
    }

    /// Bytes of an address.
    fn length(self) -> u32 {
        match self {
            Protocol::V4 => 4,
            Protocol::V6 => 16,
        }
    }

    /// Where an address is in the IP header (RFC 791, RFC 8200).
    fn offset(self, end: End) -> u32 {
        match (self, end) {
            (Protocol::V4, End::Source) => 12,
            (Protocol::V4, End::Destination) => 16,
            (Protocol::V6, End::Source) => 8,
            (Protocol::V6, End::Destination) => 24,
        }
    }
}

/// A rule as one wishes it, written from left to right as in nft's language.
#[derive(Debug, Default, PartialEq)]
pub struct Rule {
    pub(crate) expressions: Writer,
    pub(crate) comment: Option<String>,
}

impl Rule {
    /// A rule that matches every packet and does nothing.
    pub fn new() -> Rule {
        Rule::default()
    }

    /// Adds one expression.
    pub fn with(mut self, step: Expr<'_>) -> Rule {
        step.write(&mut self.expressions);
        self
    }

    /// `ip saddr NETWORK` and its kin, for a table of both protocols; host bits are ignored.
    ///
    /// The expressions are those that nft(8) makes, so that a ruleset that it saved and restored
    /// is the same: of a prefix that ends with a byte, only the prefix's bytes are loaded.
    pub fn within(self, end: End, network: IpNetwork) -> Rule {
        self.protocol(Protocol::of(network.ip()))
            .prefix(end, network)
    }

    /// The same for packets that are of the network's protocol, as all of a table of one protocol.
    pub fn prefix(self, end: End, network: IpNetwork) -> Rule {
        if network.prefix() == 0 {
            return self;
        }
        let (rule, wished) = self.beginning(end, network);
        rule.with(Expr::Equal(Register::FIRST, &wished))
    }

    /// `ip saddr != NETWORK` for packets that are of its protocol.
    pub fn outside(self, end: End, network: IpNetwork) -> Rule {
        let (rule, other) = self.beginning(end, network);
        rule.with(Expr::Unequal(Register::FIRST, &other))
    }

    /// Loads what the network's prefix is about, and tells what it is in the network.
    fn beginning(self, end: End, network: IpNetwork) -> (Rule, Vec<u8>) {
        let protocol = Protocol::of(network.ip());
        let mut wished = octets(network.network());
        let bytes = network.prefix() / 8;
        if bytes > 0 && network.prefix().is_multiple_of(8) {
            wished.truncate(bytes.into());
            (self.address(protocol, end, bytes.into()), wished)
        } else {
            let rule = self.address(protocol, end, protocol.length());
            let rule = rule.with(Expr::Mask(Register::FIRST, &octets(network.mask())));
            (rule, wished)
        }
    }

    /// `ip saddr @SET`, or `ip saddr vmap @MAP`, for a table of both protocols.
    pub fn look_up(self, protocol: Protocol, end: End, set: &str, found: Found) -> Rule {
        self.protocol(protocol)
            .address(protocol, end, protocol.length())
            .with(Expr::Lookup {
                set,
                key: Register::FIRST,
                found,
            })
    }

    /// Decides.
    pub fn verdict(self, verdict: &Verdict) -> Rule {
        self.with(Expr::Verdict(verdict))
    }

    /// `counter drop`: what is dropped without a count is looked for in vain.
    pub fn drop(self) -> Rule {
        self.with(Expr::Counter).verdict(&Verdict::Drop)
    }

    /// What operators read beside the rule; cut at 127 bytes.
    pub fn comment(mut self, text: impl Into<String>) -> Rule {
        self.comment = Some(text.into());
        self
    }

    /// Loads the first bytes of an address into the first register.
    fn address(self, protocol: Protocol, end: End, length: u32) -> Rule {
        let offset = protocol.offset(end);
        self.with(Expr::Payload {
            base: Base::Network,
            offset,
            length,
            into: Register::FIRST,
        })
    }

    fn protocol(self, protocol: Protocol) -> Rule {
        self.with(Expr::Meta(Meta::Family, Register::FIRST))
            .with(Expr::Equal(Register::FIRST, &[protocol.number()]))
    }
}

/// The longest prefix of the network's protocol.
pub(crate) fn longest(network: IpNetwork) -> u8 {
    if network.is_ipv4() { 32 } else { 128 }
}

/// An address as packets carry it.
pub(crate) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// A rule as the kernel holds it.
#[derive(Clone, Debug)]
pub struct Installed {
    /// The chain that it is in.
    pub chain: String,
    /// Its number, unique in the table.
    pub handle: u64,
    /// What operators read beside it.
    pub comment: Option<String>,
    pub(crate) expressions: Vec<u8>,
}

impl Installed {
    /// Whether this is the wished rule: the same comment and the same expressions, each with every
    /// attribute wished. Newer kernels tell more attributes than were asked for.
    pub fn is(&self, wish: &Rule) -> bool {
        self.comment == wish.comment && self.does(wish)
    }

    fn does(&self, wish: &Rule) -> bool {
        let mut installed = wire::attributes(&self.expressions);
        wire::attributes(wish.expressions.as_bytes()).all(|(_, step)| {
            installed
                .next()
                .is_some_and(|(_, have)| wire::contains(have, step))
        }) && installed.next().is_none()
    }

    /// The chain that the rule jumps or goes to by a verdict of its own.
    pub fn target(&self) -> Option<String> {
        const DATA: u16 = 2;
        self.steps("immediate")
            .find_map(|fields| match Verdict::read(wire::find(fields, DATA)?)? {
                Verdict::Jump(chain) | Verdict::Goto(chain) => Some(chain),
                Verdict::Accept | Verdict::Drop | Verdict::Return => None,
            })
    }

    /// What operators read beside it when iptables-nft has made it: a match that always fits.
    pub fn match_comment(&self) -> Option<String> {
        const NAME: u16 = 1;
        const CONTENT: u16 = 3;
        let mut matches = self.steps("match");
        let comment = matches.find(|fields| {
            wire::find(fields, NAME).map(wire::string).as_deref() == Some("comment")
        })?;
        let content = wire::find(comment, CONTENT)?;
        let text = content.split(|byte| *byte == 0).next()?;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    /// Whether it may accept a packet, or leave that to others: `false` for a rule that drops, or
    /// decides nothing.
    pub fn may_let_through(&self) -> bool {
        const DATA: u16 = 2;
        const VERDICT_MAP: u16 = 3;
        let decides_otherwise = |fields: &[u8]| match wire::find(fields, DATA) {
            Some(data) => !matches!(
                Verdict::read(data),
                None | Some(Verdict::Drop | Verdict::Return)
            ),
            None => false,
        };
        let leads =
            |fields: &[u8]| wire::find(fields, VERDICT_MAP).and_then(wire::number) == Some(0);
        self.steps("immediate").any(decides_otherwise)
            || self.steps("lookup").any(leads)
            || ["queue", "target", "synproxy", "flow_offload"]
                .into_iter()
                .any(|kind| self.steps(kind).next().is_some())
    }

    /// How many packets its counter has counted; none without a counter.
    pub fn packets(&self) -> Option<u64> {
        const PACKETS: u16 = 2;
        let fields = self.steps("counter").next()?;
        let octets = wire::find(fields, PACKETS)?.try_into().ok()?;
        Some(u64::from_be_bytes(octets))
    }

    /// The fields of the expressions of one kind.
    fn steps(&self, kind: &'static str) -> impl Iterator<Item = &[u8]> {
        const NAME: u16 = 1;
        const FIELDS: u16 = 2;
        wire::attributes(&self.expressions).filter_map(move |(_, step)| {
            let name = wire::string(wire::find(step, NAME)?);
            (name == kind).then(|| wire::find(step, FIELDS))?
        })
    }
}
