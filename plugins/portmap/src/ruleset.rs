// SPDX-License-Identifier: Apache-2.0
//! What the table holds when all is right: names, sets and rules. Table `inet podwire` with a mapping
//! of network `podnet`:
//!
//! ```text
//! map hostport4-any { type inet_proto . inet_service : verdict
//!     elements = { tcp . 8080 comment "podnet ID eth0" : goto hostport/podnet } }
//! map hostport4-any-to { type inet_proto . inet_service : ipv4_addr . inet_service
//!     elements = { tcp . 8080 comment "podnet ID eth0" : 10.1.0.5 . 80 } }
//! chain hostport-prerouting {            # and hostport-output, for packets of the host itself
//!     type nat hook prerouting priority dstnat + 1
//!     fib daddr type local jump hostport
//! }
//! chain hostport {                       # the same for IPv6
//!     ip6 daddr ::1 return
//!     ip daddr . meta l4proto . th dport vmap @hostport4
//!     meta nfproto ipv4 meta l4proto . th dport vmap @hostport4-any
//! }
//! chain hostport/podnet {                # one rule per family and alternative of its conditions
//!     meta nfproto ipv4 goto hostport/podnet/dnat
//! }
//! chain hostport/podnet/dnat {
//!     ip saddr 127.0.0.0/8 meta mark set meta mark | 0x2000
//!     ip saddr 10.1.0.0/24 meta mark set meta mark | 0x2000 comment "10.1.0.0/24"
//!     dnat ip to meta l4proto . th dport map @hostport4-any-to
//! }
//! chain hostport-postrouting {
//!     type nat hook postrouting priority srcnat - 1
//!     meta mark & 0x2000 != 0 ct status dnat masquerade comment "podnet"
//! }
//! set hostport-opened { type ifname; elements = { "cni0" } }     # who gets route_localnet
//! chain hostport-localnet {              # which opens 127.0.0.1 to neighbours
//!     type filter hook prerouting priority raw
//!     iifname != "lo" ip daddr 127.0.0.0/8 drop
//!     iifname != "lo" ip saddr 127.0.0.0/8 drop
//! }
//! ```

use std::net::{IpAddr, Ipv6Addr};

use ipnetwork::IpNetwork;
use nft::{
    Connection, DataType, End, Expr, Family, Found, Hook, Meta, Register, Rule, Set, Table, Values,
    Verdict,
};

use crate::conf::{Policy, Snat};
use crate::holder;
use crate::maps::Maps;

pub(crate) const TABLE: Table<'static> = Table {
    family: Family::Inet,
    name: "podwire",
};
/// Where packets are looked up.
const DISPATCH: &str = "hostport";
pub(crate) const POSTROUTING: &str = "hostport-postrouting";
/// The chains that all networks share.
pub(crate) const CHAINS: [(&str, Option<Hook>); 5] = [
    (DISPATCH, None),
    ("hostport-prerouting", Some(nat(0, -99))),
    ("hostport-output", Some(nat(3, -99))),
    (POSTROUTING, Some(nat(4, 99))),
    ("hostport-localnet", Some(Hook::RAW_PREROUTING)),
];
/// The interfaces that `hostport-localnet` guards, but for those that somebody else has opened.
pub(crate) const OPENED: Set<'static> = Set {
    name: "hostport-opened",
    key: DataType::INTERFACE,
    values: Values::None,
};
/// `RTN_LOCAL` of linux/rtnetlink.h.
const LOCAL: u32 = 2;
/// `IPS_DST_NAT` of linux/netfilter/nf_conntrack_common.h.
const DESTINATION_TRANSLATED: u32 = 1 << 5;
const REGISTER: Register = Register::FIRST;

/// Behind those that decide at the usual place: of all destination translations the first one holds,
/// and what kube-proxy does for the cluster goes before what a pod wants of its node. In front of
/// those that masquerade.
const fn nat(number: u32, priority: i32) -> Hook {
    Hook {
        kind: "nat",
        number,
        priority,
    }
}

/// The rules of a chain that all networks share, but for those of single networks.
pub(crate) fn shared(chain: &str) -> Vec<Rule> {
    match chain {
        DISPATCH => {
            let by_verdict = |maps: Maps| maps.look_up(maps.verdicts(), Found::Verdict);
            let rules = [not_to_itself()].into_iter();
            rules.chain(Maps::ALL.map(by_verdict)).collect()
        }
        POSTROUTING => Vec::new(),
        "hostport-localnet" => [End::Destination, End::Source]
            .map(not_from_neighbours)
            .into(),
        _ => vec![to_this_host()],
    }
}

fn to_this_host() -> Rule {
    Rule::new()
        .with(Expr::DestinationType(REGISTER))
        .with(Expr::Equal(REGISTER, &LOCAL.to_ne_bytes()))
        .verdict(&Verdict::Jump(DISPATCH.to_owned()))
}

/// A client on `::1` would wait for an answer that the kernel drops; so it is told by the kernel, or
/// by who listens there, that the port is not the container's.
fn not_to_itself() -> Rule {
    Rule::new()
        .within(End::Destination, IpAddr::from(Ipv6Addr::LOCALHOST).into())
        .verdict(&Verdict::Return)
}

/// What an interface with `route_localnet` would take for this host's loopback, or for coming from it.
/// Answers to what was translated have another destination here.
fn not_from_neighbours(end: End) -> Rule {
    let mut lo = [0; 16];
    lo[..2].copy_from_slice(b"lo");
    Rule::new()
        .with(Expr::Meta(Meta::InputName, REGISTER))
        .with(Expr::Unequal(REGISTER, &lo))
        .within(end, loopback())
        .drop()
}

fn loopback() -> IpNetwork {
    IpNetwork::new([127, 0, 0, 0].into(), 8).expect("the prefix fits the family")
}

/// What one network has of its own.
#[derive(Debug)]
pub(crate) struct OfNetwork<'a> {
    label: String,
    policy: &'a Policy,
}

impl<'a> OfNetwork<'a> {
    pub(crate) fn new(network: &str, policy: &'a Policy) -> Self {
        Self {
            label: holder::label(network),
            policy,
        }
    }

    /// The label in comments.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// Where its mappings' packets go.
    pub(crate) fn entry(&self) -> String {
        entry_of(&self.label)
    }

    /// Where they go when the conditions are met.
    pub(crate) fn translation(&self) -> String {
        translation_of(&self.label)
    }

    /// The rules of [`Self::entry`].
    pub(crate) fn conditions(&self) -> Vec<Rule> {
        let verdict = Verdict::Goto(self.translation());
        let rules = self.policy.conditions.iter().flat_map(|of| of.rules());
        rules.map(|rule| rule.verdict(&verdict)).collect()
    }

    /// The rules of [`Self::translation`] that hold whoever is attached.
    pub(crate) fn translations(&self) -> Vec<Rule> {
        let marks = match self.policy.snat {
            None => Vec::new(),
            Some(snat) if snat.all => vec![marked(Rule::new(), snat)],
            Some(snat) => vec![marked(Rule::new().within(End::Source, loopback()), snat)],
        };
        let translations = Maps::ALL.map(Maps::translation);
        marks.into_iter().chain(translations).collect()
    }

    /// What hides the clients of one subnet, the container's neighbours, which would get their
    /// answers past this host; of an address without a subnet the container itself.
    pub(crate) fn neighbours(&self, address: IpNetwork) -> Option<Rule> {
        let snat = self.policy.snat.filter(|snat| !snat.all)?;
        let subnet = IpNetwork::new(address.network(), address.prefix()).ok()?;
        let from = Rule::new().within(End::Source, subnet);
        Some(marked(from, snat).comment(subnet.to_string()))
    }

    /// What hides the clients whose packets bear the mark.
    pub(crate) fn masquerade(&self) -> Option<Rule> {
        let snat = self.policy.snat.filter(|snat| !snat.external)?;
        let any_of = |rule: Rule, bits: u32| {
            rule.with(Expr::Mask(REGISTER, &bits.to_ne_bytes()))
                .with(Expr::Unequal(REGISTER, &[0; 4]))
        };
        let rule = Rule::new().with(Expr::Meta(Meta::Mark, REGISTER));
        let rule = any_of(rule, snat.mark).with(Expr::Connection(Connection::Status, REGISTER));
        let rule = any_of(rule, DESTINATION_TRANSLATED).with(Expr::Masquerade);
        Some(rule.comment(self.label.clone()))
    }
}

/// The chain in which a network's conditions are.
pub(crate) fn entry_of(label: &str) -> String {
    format!("{DISPATCH}/{label}")
}

/// The chain that translates a network's packets.
pub(crate) fn translation_of(label: &str) -> String {
    format!("{DISPATCH}/{label}/dnat")
}

/// `meta mark set meta mark | MARK`
fn marked(rule: Rule, snat: Snat) -> Rule {
    rule.with(Expr::Meta(Meta::Mark, REGISTER))
        .with(Expr::Bits {
            register: REGISTER,
            mask: &(!snat.mark).to_ne_bytes(),
            flip: &snat.mark.to_ne_bytes(),
        })
        .with(Expr::SetMeta(Meta::Mark, REGISTER))
}
