// SPDX-License-Identifier: Apache-2.0
//! What the table holds when all is right: its names, sets and rules.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;

use super::reserve;
use crate::comment;
use crate::rule::octets;
use crate::{
    DataType, Element, End, Expr, Family, Found, Hook, Installed, Protocol, Rule, Set, Table,
    Value, Values, Verdict,
};

pub(super) const TABLE: Table<'static> = Table {
    family: Family::Inet,
    name: "podwire",
};
pub(super) const POSTROUTING: &str = "postrouting";
pub(super) const EXEMPT: &str = "exempt";
/// The chains that every network shares.
pub(super) const CHAINS: [(&str, Option<Hook>); 2] =
    [(POSTROUTING, Some(Hook::SOURCE_NAT)), (EXEMPT, None)];
pub(super) const NETWORK_CHAIN: &str = "masq-";
/// What the label of whole subnets ends with.
const SUBNETS: &str = "/subnets";
/// What keeps masqueraded flows off a port, see [`super::reserve`].
pub(super) const RESERVE: &str = "reserve";

pub(super) const SETS: [Set<'static>; 4] = [
    Set {
        name: pods(Protocol::V4),
        key: DataType::IPV4,
        values: Values::Verdicts,
    },
    Set {
        name: pods(Protocol::V6),
        key: DataType::IPV6,
        values: Values::Verdicts,
    },
    Set {
        name: peers(Protocol::V4),
        key: DataType::IPV4,
        values: Values::None,
    },
    Set {
        name: peers(Protocol::V6),
        key: DataType::IPV6,
        values: Values::None,
    },
];

/// Where the packets of single pods go, by source address.
pub(super) const fn pods(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::V4 => "pods4",
        Protocol::V6 => "pods6",
    }
}

/// The single pods as destinations.
pub(super) const fn peers(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::V4 => "peers4",
        Protocol::V6 => "peers6",
    }
}

/// The rules that one of the shared chains begins with.
pub(super) fn base(chain: &str) -> Vec<Rule> {
    if chain == POSTROUTING {
        let multicast = [
            (IpAddr::V4(Ipv4Addr::new(224, 0, 0, 0)), 4),
            (IpAddr::V6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0)), 8),
        ]
        .map(|(address, prefix)| {
            let group = IpNetwork::new(address, prefix).expect("a prefix below 33");
            Rule::new()
                .within(End::Destination, group)
                .verdict(&Verdict::Return)
        });
        let single = Protocol::ALL.map(|protocol| {
            Rule::new().look_up(protocol, End::Source, pods(protocol), Found::Verdict)
        });
        multicast.into_iter().chain(single).collect()
    } else {
        let to_single = |protocol| {
            Rule::new()
                .look_up(protocol, End::Destination, peers(protocol), Found::Inside)
                .verdict(&Verdict::Accept)
        };
        Protocol::ALL.map(to_single).into()
    }
}

/// The chain that a network's packets go through.
pub(super) fn chain_of(label: &str) -> String {
    format!("{NETWORK_CHAIN}{label}")
}

/// Whether a chain of the table belongs to the masquerade.
pub(super) fn is_ours(chain: &str) -> bool {
    chain == POSTROUTING || chain == EXEMPT || chain.starts_with(NETWORK_CHAIN)
}

/// The rules of a network's chain; `reserved` if there is a port to keep off.
pub(super) fn policy(exempt: &[IpNetwork], reserved: bool) -> Vec<Rule> {
    let untranslated = |destination: &IpNetwork| {
        Rule::new()
            .within(End::Destination, *destination)
            .verdict(&Verdict::Accept)
    };
    let mut rules: Vec<Rule> = exempt.iter().map(untranslated).collect();
    rules.push(Rule::new().verdict(&Verdict::Jump(EXEMPT.to_owned())));
    rules.extend(reserved.then(reserve::jump));
    rules.push(Rule::new().with(Expr::Masquerade));
    rules
}

/// Packets from a network's subnet go through its chain.
pub(super) fn subnet_rule(label: &str, subnet: IpNetwork) -> Rule {
    Rule::new()
        .within(End::Source, subnet)
        .verdict(&Verdict::Goto(chain_of(label)))
        .comment(format!("{label} {subnet}"))
}

/// Packets to a destination are not translated.
pub(super) fn exemption(label: &str, destination: IpNetwork) -> Rule {
    Rule::new()
        .within(End::Destination, destination)
        .verdict(&Verdict::Accept)
        .comment(format!("{label} {destination}"))
}

/// The label of what one owner shares with all networks; no network's name has a colon.
pub(super) fn shared_label(owner: &str) -> String {
    format!("shared:{}", comment::label(owner))
}

/// The label of whole subnets that one owner has masqueraded; no network's name has a slash, and
/// unlike a colon nft(8) reads it in a chain's name.
pub(super) fn subnets_label(owner: &str) -> String {
    format!("{}{SUBNETS}", comment::label(owner))
}

/// Whether a label is one of those.
pub(super) fn is_of_subnets(label: &str) -> bool {
    label.ends_with(SUBNETS)
}

/// What sends one pod's packets somewhere.
pub(super) fn pod(address: IpAddr, verdict: Verdict, comment: &str) -> Element {
    let comment = Some(comment.to_owned());
    Element {
        key: octets(address),
        value: Some(Value::Verdict(verdict)),
        comment,
    }
}

/// What a rule's comment says: for whom it is, and which subnet or destination it is about.
pub(super) fn claim(rule: &Installed) -> Option<(&str, IpNetwork)> {
    let (label, network) = rule.comment.as_deref()?.rsplit_once(' ')?;
    Some((label, network.parse().ok()?))
}

/// A network without the host bits.
pub(super) fn subnet_of(address: IpNetwork) -> IpNetwork {
    IpNetwork::new(address.network(), address.prefix()).expect("the prefix that it has")
}

/// Whether all addresses of `inner` are in `outer`.
pub(super) fn covers(outer: IpNetwork, inner: IpNetwork) -> bool {
    outer.prefix() <= inner.prefix() && outer.contains(inner.network())
}
