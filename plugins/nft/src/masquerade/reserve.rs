// SPDX-License-Identifier: Apache-2.0
//! A UDP port that no masqueraded flow may come from, as the overlay's peers trust it.
//!
//! ```text
//! chain reserve {
//!     udp sport >= 1024 masquerade to :8473-65535 fully-random
//! }
//! ```
//!
//! Each network's chain jumps here before it masquerades; the chain's being there tells the
//! attachments to come. The rule is for UDP alone, as the kernel would take the range for the
//! identifiers of ICMP and the keys of GRE as well. Ports below 1024 keep the kernel's own treatment:
//! they become other ports below 1024, which servers may ask for.

use ipnetwork::IpNetwork;

use super::plan::Seen;
use super::ruleset::{NETWORK_CHAIN, RESERVE, TABLE};
use crate::{Base, Batch, Error, Expr, Installed, Meta, Nft, Register, Rule, Verdict};

/// The first port that is not privileged: the kernel keeps both kinds apart.
const UNPRIVILEGED: u16 = 1024;
const UDP: u8 = 17;

/// Adds to the batch what is missing so that no masqueraded flow comes from `port`.
pub(crate) fn add(nft: &mut Nft, batch: &mut Batch, port: u16) -> Result<(), Error> {
    let seen = Seen::read(nft, &[])?;
    if !is_reserved(&seen, port) {
        if !nft.has_table(TABLE)? {
            batch.add_table(TABLE);
        }
        if seen.chain(RESERVE).next().is_some() {
            batch.flush_chain(TABLE, RESERVE);
        } else if !nft.has_chain(TABLE, RESERVE)? {
            batch.add_chain(TABLE, RESERVE, None);
        }
        batch.append_rule(TABLE, RESERVE, &rule(port));
    }
    for masquerade in unreserved(&seen) {
        batch.insert_rule_before(TABLE, &masquerade.chain, masquerade.handle, &jump());
    }
    Ok(())
}

/// What of [`add`] the kernel does not hold, one sentence each.
pub(crate) fn missing(nft: &mut Nft, port: u16) -> Result<Vec<String>, Error> {
    Ok(lacks(&Seen::read(nft, &[])?, port))
}

/// Whether it holds that, and exempts what `owner` shares and nothing else of it.
pub(crate) fn holds(
    nft: &mut Nft,
    port: u16,
    owner: &str,
    shared: &[IpNetwork],
) -> Result<bool, Error> {
    let seen = Seen::read(nft, &[])?;
    Ok(lacks(&seen, port).is_empty()
        && seen.lacks_of_shared(owner, shared).is_empty()
        && seen.no_longer_shared(owner, shared).is_empty())
}

fn lacks(seen: &Seen<'_>, port: u16) -> Vec<String> {
    let rule = (!is_reserved(seen, port)).then(|| {
        format!("chain {RESERVE} of {TABLE} does not keep masqueraded flows off UDP port {port}")
    });
    let chains = unreserved(seen).map(|masquerade| {
        format!(
            "chain {} of {TABLE} does not jump to chain {RESERVE}",
            masquerade.chain
        )
    });
    rule.into_iter().chain(chains).collect()
}

/// Adds to the batch the removal of all that [`add`] makes.
pub(crate) fn remove(nft: &mut Nft, batch: &mut Batch) -> Result<(), Error> {
    let seen = Seen::read(nft, &[])?;
    for rule in seen.rules.iter().filter(|rule| jumps(rule)) {
        batch.delete_rule(TABLE, &rule.chain, rule.handle);
    }
    if nft.has_chain(TABLE, RESERVE)? {
        batch.delete_chain(TABLE, RESERVE);
    }
    Ok(())
}

/// What a network's chain holds before it masquerades.
pub(super) fn jump() -> Rule {
    Rule::new().verdict(&Verdict::Jump(RESERVE.to_owned()))
}

/// The rules that masquerade without a jump before them.
fn unreserved<'a>(seen: &'a Seen<'_>) -> impl Iterator<Item = &'a Installed> {
    let masquerade = Rule::new().with(Expr::Masquerade);
    seen.rules.iter().filter(move |rule| {
        rule.chain.starts_with(NETWORK_CHAIN)
            && rule.is(&masquerade)
            && !seen.chain(&rule.chain).any(jumps)
    })
}

fn jumps(rule: &Installed) -> bool {
    rule.target().is_some_and(|chain| chain == RESERVE)
}

fn is_reserved(seen: &Seen<'_>, port: u16) -> bool {
    seen.begins_with(RESERVE, &[rule(port)]) && seen.chain(RESERVE).count() == 1
}

/// The unprivileged ports on the roomier side of `port`.
fn beside(port: u16) -> (u16, u16) {
    if port < UNPRIVILEGED {
        (UNPRIVILEGED, u16::MAX)
    } else if u16::MAX - port > port - UNPRIVILEGED {
        (port + 1, u16::MAX)
    } else {
        (UNPRIVILEGED, port - 1)
    }
}

/// Masquerades UDP with ports beside `port`.
fn rule(port: u16) -> Rule {
    let (first, last) = beside(port);
    let udp = Rule::new()
        .with(Expr::Meta(Meta::Transport, Register::FIRST))
        .with(Expr::Equal(Register::FIRST, &[UDP]));
    let others_keep_off = port >= UNPRIVILEGED;
    let udp = if others_keep_off {
        udp.with(Expr::Payload {
            base: Base::Transport,
            offset: 0,
            length: 2,
            into: Register::FIRST,
        })
        .with(Expr::AtLeast(Register::FIRST, &UNPRIVILEGED.to_be_bytes()))
    } else {
        udp
    };
    let (low, high) = (Register::FIRST, Register::word(4));
    udp.with(Expr::Immediate(low, &first.to_be_bytes()))
        .with(Expr::Immediate(high, &last.to_be_bytes()))
        .with(Expr::MasqueradeTo {
            first: low,
            last: high,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_leaves_the_port_out_and_is_never_small() {
        for port in 0..=u16::MAX {
            let (first, last) = beside(port);
            assert!(!(first..=last).contains(&port), "{port}");
            assert!(first >= UNPRIVILEGED && last - first > 32_000, "{port}");
        }
    }
}
