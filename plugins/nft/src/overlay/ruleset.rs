// SPDX-License-Identifier: Apache-2.0
//! What the table holds when all is right: its names, sets and rules.

use crate::{
    Base, Connection, DataType, End, Expr, Family, Found, Hook, Installed, Meta, Protocol,
    Register, Rule, Set, Table, Values, Verdict,
};

use super::Overlay;

pub(super) const TABLE: Table<'static> = Table {
    family: Family::Inet,
    name: "podwire-overlay",
};
const PREROUTING: &str = "prerouting";
const OUTPUT: &str = "output";
const INPUT: &str = "input";
const SOURCES: &str = "sources";
const FORWARD: &str = "forward";
const PODS: &str = "pods";
const POSTROUTING: &str = "postrouting";
const LEAVING: &str = "leaving";
const NODE: &str = "node";
/// All chains, and where the kernel calls them.
pub(super) const CHAINS: [(&str, Option<Hook>); 9] = [
    (SOURCES, None),
    (PODS, None),
    (NODE, None),
    (PREROUTING, Some(Hook::RAW_PREROUTING)),
    (OUTPUT, Some(Hook::RAW_OUTPUT)),
    (INPUT, Some(Hook::INPUT)),
    (FORWARD, Some(Hook::FORWARD)),
    (POSTROUTING, Some(Hook::TRANSLATED)),
    (LEAVING, Some(Hook::SOURCE_NAT)),
];
/// `IFNAMSIZ`
const NAME: usize = 16;
const UDP: u8 = 17;
/// `RTN_LOCAL` of linux/rtnetlink.h.
const LOCAL: u32 = 2;
/// `IPS_SRC_NAT` of linux/netfilter/nf_conntrack_common.h.
const SOURCE_TRANSLATED: u32 = 1 << 4;

/// Peers that a set takes: as many as 1 MiB of the kernel's memory is enough for.
pub(super) const CAPACITY: u32 = 98_304;

/// The known peers' underlay addresses.
pub(super) const fn vteps(protocol: Protocol) -> Set<'static> {
    let (name, key) = match protocol {
        Protocol::V4 => ("vteps4", DataType::IPV4),
        Protocol::V6 => ("vteps6", DataType::IPV6),
    };
    Set {
        name,
        key,
        values: Values::None,
    }
}

/// The rules of one chain.
pub(super) fn rules(chain: &str, overlay: &Overlay<'_>) -> Vec<Rule> {
    let to = |chain: &str| Verdict::Goto(chain.to_owned());
    match chain {
        PREROUTING => untracked(overlay.port, End::Source),
        OUTPUT => untracked(overlay.port, End::Destination),
        LEAVING => leaving(overlay, &to(NODE)),
        NODE => node(overlay),
        _ if !overlay.filter => Vec::new(),
        INPUT => vec![to_port(overlay.port).verdict(&to(SOURCES))],
        FORWARD => vec![to_port(overlay.port).verdict(&to(PODS))],
        SOURCES => sources(overlay),
        POSTROUTING => translated(overlay.port),
        _ => pods(overlay),
    }
}

/// Packets from or to peers belong to no connection: each would take an entry of conntrack for
/// each pair of ports, and clash with others' on the way out.
fn untracked(port: u16, peer: End) -> Vec<Rule> {
    let rule = |protocol| {
        to_port(port)
            .look_up(protocol, peer, vteps(protocol).name, Found::Inside)
            .with(Expr::NoTrack)
    };
    Protocol::ALL.map(rule).into()
}

/// Packets for this host.
fn sources(overlay: &Overlay<'_>) -> Vec<Rule> {
    let known = Protocol::ALL.map(|protocol| {
        Rule::new()
            .look_up(protocol, End::Source, vteps(protocol).name, Found::Inside)
            .verdict(&Verdict::Accept)
    });
    let mut rules = from_pods(overlay);
    rules.extend(known);
    rules.push(Rule::new().drop());
    rules
}

/// Whether this is the last rule of [`SOURCES`].
pub(super) fn is_for_strangers(rule: &Installed) -> bool {
    rule.chain == SOURCES && rule.is(&Rule::new().drop())
}

/// Packets for others.
fn pods(overlay: &Overlay<'_>) -> Vec<Rule> {
    let within = |end| {
        let pods = overlay.pods.iter().copied();
        pods.map(move |pods| Rule::new().within(end, pods))
    };
    let among = within(End::Destination).map(|rule| rule.verdict(&Verdict::Accept));
    let mut rules: Vec<Rule> = among.collect();
    rules.extend(within(End::Source).map(Rule::drop));
    rules.extend(from_pods(overlay));
    rules
}

/// Packets to peers whose source somebody has made this host's address: a container's that is in
/// no network of the overlay, a virtual machine's. The overlay's own belong to no connection.
fn translated(port: u16) -> Vec<Rule> {
    let rule = |protocol| {
        to_port(port)
            .with(Expr::Connection(Connection::Status, Register::FIRST))
            .with(Expr::Mask(
                Register::FIRST,
                &SOURCE_TRANSLATED.to_ne_bytes(),
            ))
            .with(Expr::Unequal(Register::FIRST, &[0; 4]))
            .look_up(
                protocol,
                End::Destination,
                vteps(protocol).name,
                Found::Inside,
            )
            .drop()
    };
    Protocol::ALL.map(rule).into()
}

/// Packets to other nodes' pods.
fn leaving(overlay: &Overlay<'_>, verdict: &Verdict) -> Vec<Rule> {
    let rule = |device: &&str| by(Meta::OutputName, device).verdict(verdict);
    overlay.devices.iter().map(rule).collect()
}

/// Those of this host's own are given the device's address unless their answers find back anyway.
fn node(overlay: &Overlay<'_>) -> Vec<Rule> {
    let pods = overlay.pods.iter();
    let within = pods.map(|pods| Rule::new().within(End::Source, *pods));
    let mut rules: Vec<Rule> = within.map(|rule| rule.verdict(&Verdict::Accept)).collect();
    let own = Rule::new()
        .with(Expr::SourceType(Register::FIRST))
        .with(Expr::Equal(Register::FIRST, &LOCAL.to_ne_bytes()));
    rules.push(own.with(Expr::Masquerade));
    rules
}

/// Whatever comes from pods is dropped.
fn from_pods(overlay: &Overlay<'_>) -> Vec<Rule> {
    let rule = |link: &&str| by(Meta::InputName, link).drop();
    let links = overlay.bridges.iter().chain(overlay.devices);
    links.map(rule).collect()
}

/// `iifname LINK`, or `oifname`.
fn by(end: Meta, link: &str) -> Rule {
    let mut name = link.as_bytes().to_vec();
    name.resize(NAME, 0);
    Rule::new()
        .with(Expr::Meta(end, Register::FIRST))
        .with(Expr::Equal(Register::FIRST, &name))
}

/// `udp dport PORT`
fn to_port(port: u16) -> Rule {
    Rule::new()
        .with(Expr::Meta(Meta::Transport, Register::FIRST))
        .with(Expr::Equal(Register::FIRST, &[UDP]))
        .with(Expr::Payload {
            base: Base::Transport,
            offset: 2,
            length: 2,
            into: Register::FIRST,
        })
        .with(Expr::Equal(Register::FIRST, &port.to_be_bytes()))
}
