// SPDX-License-Identifier: Apache-2.0
//! The rules in iptables' own form: what iptables-nft makes of its command line, octet for octet,
//! so that iptables lists, saves and restores them as its own.
//!
//! Source: linux/netfilter/xt_conntrack.h, xt_comment.h; `nft --debug=netlink` shows the
//! expressions that iptables-nft makes.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use nft::{End, Expr, Rule, Verdict};

use super::CHAIN;
use crate::owner::Owner;

/// The comment by which the reference plugin knows the rule that leads to [`CHAIN`].
const TO_CHAIN: &str = "CNI firewall plugin rules";
/// The comment by which it knows the rule that leads to the operator's chain.
const TO_ADMIN: &str = "CNI firewall plugin admin overrides";

/// `XT_CONNTRACK_STATE_*`: a bit for each state.
const ESTABLISHED: u16 = 1 << 1;
const RELATED: u16 = 1 << 2;
const TRANSLATED: u16 = 1 << 7;

/// `-m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD`
pub(super) fn to_chain() -> Rule {
    jump(TO_CHAIN, CHAIN)
}

/// `-m comment --comment "CNI firewall plugin admin overrides" -j CNI-ADMIN`
pub(super) fn to_admin(chain: &str) -> Rule {
    jump(TO_ADMIN, chain)
}

/// What lets an address's packets through: what it sends, answers to it, and connections that a
/// port mapping has let in.
pub(super) fn of_address(owner: &Owner, address: IpAddr) -> [Rule; 2] {
    let remark = owner.remark();
    let sent = of(End::Source, address);
    let answers = of(End::Destination, address);
    let answers = in_state(answers, ESTABLISHED | RELATED | TRANSLATED);
    [sent, answers].map(|rule| accept(commented(rule, &remark)))
}

/// What the reference plugin makes for an address.
pub(super) fn of_reference(address: IpAddr) -> [Rule; 2] {
    let answers = of(End::Destination, address);
    [
        of(End::Source, address),
        in_state(answers, ESTABLISHED | RELATED),
    ]
    .map(accept)
}

/// `-s ADDRESS`, `-d ADDRESS`
fn of(end: End, address: IpAddr) -> Rule {
    Rule::new().prefix(end, IpNetwork::from(address))
}

/// `-m conntrack --ctstate …`
fn in_state(rule: Rule, states: u16) -> Rule {
    /// `struct xt_conntrack_mtinfo3`, and where in it the three fields are.
    const LENGTH: usize = 164;
    const MATCHES: usize = 146;
    const STATES: usize = 150;
    const BY_STATE: u16 = 1;
    let mut content = [0; LENGTH];
    for (place, value) in [(MATCHES, BY_STATE), (STATES, states)] {
        content[place..place + 2].copy_from_slice(&value.to_ne_bytes());
    }
    rule.iptables_match("conntrack", 3, &content)
}

/// `-m comment --comment …`
fn commented(rule: Rule, comment: &str) -> Rule {
    /// `XT_MAX_COMMENT_LEN`, one octet of which ends it.
    const LENGTH: usize = 256;
    let mut content = comment.as_bytes().to_vec();
    content.truncate(LENGTH - 1);
    content.resize(LENGTH, 0);
    rule.iptables_match("comment", 0, &content)
}

fn accept(rule: Rule) -> Rule {
    rule.with(Expr::Counter).verdict(&Verdict::Accept)
}

fn jump(comment: &str, chain: &str) -> Rule {
    commented(Rule::new(), comment)
        .with(Expr::Counter)
        .verdict(&Verdict::Jump(chain.to_owned()))
}
