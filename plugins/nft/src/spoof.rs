// SPDX-License-Identifier: Apache-2.0
//! The source-MAC check: through a guarded bridge port come only frames with the port's own MAC.
//!
//! One rule serves all ports; a port is an element in each of two sets, so the cost of a port does
//! not grow with their number. Table `bridge podwire`:
//!
//! ```text
//! set guarded { type ifname; elements = { "veth0" comment "podnet 02:00:00:00:00:01" } }
//! set sources { type ifname . ether_addr; elements = { "veth0" . 02:00:00:00:00:01 } }
//! chain prerouting {
//!     type filter hook prerouting priority dstnat
//!     iifname @guarded iifname . ether saddr != @sources drop
//! }
//! ```
//!
//! The comment keeps what the end of the attachment needs: its port's name alone is known then.

use crate::{
    Base, Batch, DataType, Element, Error, Expr, Family, Found, Hook, Installed, Meta, Nft,
    Register, Rule, Set, Table, Values, Verdict, comment,
};

const TABLE: Table<'static> = Table {
    family: Family::Bridge,
    name: "podwire",
};
const CHAIN: &str = "prerouting";
const GUARDED: Set<'static> = Set {
    name: "guarded",
    key: DataType::INTERFACE,
    values: Values::None,
};
const SOURCES: Set<'static> = Set {
    name: "sources",
    key: DataType::INTERFACE.and(DataType::MAC),
    values: Values::None,
};
/// `IFNAMSIZ`: the length of an interface's name as a key, with the zeros behind it.
const NAME: usize = 16;
/// Guards that one transaction takes away: far below what fits the socket's send buffer.
const AT_ONCE: usize = 500;

/// Lets only frames from `mac` enter the bridge through `port` (the host interface), in place of
/// what was guarded there before.
pub fn guard(nft: &mut Nft, network: &str, port: &str, mac: [u8; 6]) -> Result<(), Error> {
    nft.transact(|nft| {
        let mut batch = Batch::new();
        add_base(nft, &mut batch)?;
        let [guarded, source] = elements(network, port, mac);
        let have = nft.element(TABLE, GUARDED.name, &guarded.key)?;
        let allowed = nft.element(TABLE, SOURCES.name, &source.key)?.is_some();
        if have.as_ref() != Some(&guarded) {
            if let Some(have) = have {
                batch.delete_element(TABLE, GUARDED.name, &have.key);
                if let Some(other) = mac_of(&have).filter(|other| *other != mac) {
                    remove_source(nft, &mut batch, have.key, other)?;
                }
            }
            batch.add_element(TABLE, GUARDED.name, &guarded);
        }
        if !allowed {
            batch.add_element(TABLE, SOURCES.name, &source);
        }
        Ok(batch)
    })
}

/// What of the guard the kernel does not hold, one sentence each.
pub fn missing(
    nft: &mut Nft,
    network: &str,
    port: &str,
    mac: [u8; 6],
) -> Result<Vec<String>, Error> {
    let [guarded, source] = elements(network, port, mac);
    let mut lacks = Vec::new();
    if !has_rule(&nft.rules(TABLE, Some(CHAIN))?) {
        lacks.push(format!(
            "chain {CHAIN} of {TABLE} lacks the rule that checks source MACs"
        ));
    }
    if nft.element(TABLE, GUARDED.name, &guarded.key)?.is_none() {
        lacks.push(format!("set {} of {TABLE} lacks port {port}", GUARDED.name));
    }
    if nft.element(TABLE, SOURCES.name, &source.key)?.is_none() {
        let mac = text(mac);
        lacks.push(format!(
            "set {} of {TABLE} does not allow {mac} at port {port}",
            SOURCES.name
        ));
    }
    Ok(lacks)
}

/// The address whose frames the guard of `port` lets pass; `None` if it has none.
pub fn admitted(nft: &mut Nft, port: &str) -> Result<Option<[u8; 6]>, Error> {
    let guarded = nft.element(TABLE, GUARDED.name, &key(port))?;
    Ok(guarded.as_ref().and_then(mac_of))
}

/// Removes the guard of `port`; nothing if it has none.
pub fn release(nft: &mut Nft, port: &str) -> Result<(), Error> {
    nft.transact(|nft| {
        let mut batch = Batch::new();
        if let Some(guarded) = nft.element(TABLE, GUARDED.name, &key(port))? {
            remove(nft, &mut batch, guarded)?;
        }
        Ok(batch)
    })
}

/// Removes the guards of the network's ports that are not valid; with the last guard, the table.
pub fn collect(nft: &mut Nft, network: &str, valid_ports: &[String]) -> Result<(), Error> {
    let label = comment::label(network);
    let valid: Vec<Vec<u8>> = valid_ports.iter().map(|port| key(port)).collect();
    let stale = |guarded: &Element| {
        let whose = guarded
            .comment
            .as_deref()
            .and_then(|comment| comment.rsplit_once(' '));
        whose.is_some_and(|(whose, _)| whose == label) && !valid.contains(&guarded.key)
    };
    let mut remain = true;
    let mut empty = false;
    while remain {
        nft.transact(|nft| {
            let mut batch = Batch::new();
            let mut ports = nft.elements(TABLE, GUARDED.name)?;
            let all = ports.len();
            ports.retain(stale);
            remain = ports.len() > AT_ONCE;
            empty = ports.len() == all && !remain;
            for guarded in ports.into_iter().take(AT_ONCE) {
                remove(nft, &mut batch, guarded)?;
            }
            if empty {
                remove_base(nft, &mut batch)?;
            }
            Ok(batch)
        })?;
    }
    if empty {
        nft.remove_if_empty(TABLE)
    } else {
        Ok(())
    }
}

/// The one rule.
fn rule() -> Rule {
    let look_up = |set, found| Expr::Lookup {
        set,
        key: Register::FIRST,
        found,
    };
    Rule::new()
        .with(Expr::Meta(Meta::InputName, Register::FIRST))
        .with(look_up(GUARDED.name, Found::Inside))
        .with(Expr::Meta(Meta::InputName, Register::FIRST))
        .with(Expr::Payload {
            base: Base::Link,
            offset: 6,
            length: 6,
            into: Register::word(4),
        })
        .with(look_up(SOURCES.name, Found::Outside))
        .verdict(&Verdict::Drop)
}

fn has_rule(rules: &[Installed]) -> bool {
    rules.iter().any(|installed| installed.is(&rule()))
}

/// Adds what is missing of the table, its sets, its chain and the rule.
fn add_base(nft: &mut Nft, batch: &mut Batch) -> Result<(), Error> {
    if has_rule(&nft.rules(TABLE, Some(CHAIN))?) {
        return Ok(());
    }
    if !nft.has_table(TABLE)? {
        batch.add_table(TABLE);
    }
    for set in [GUARDED, SOURCES] {
        if !nft.has_set(TABLE, set.name)? {
            batch.add_set(TABLE, &set);
        }
    }
    batch.add_chain(TABLE, CHAIN, Some(Hook::BRIDGE_INPUT));
    batch.append_rule(TABLE, CHAIN, &rule());
    Ok(())
}

fn remove_base(nft: &mut Nft, batch: &mut Batch) -> Result<(), Error> {
    if nft.has_chain(TABLE, CHAIN)? {
        batch.delete_chain(TABLE, CHAIN);
    }
    for set in [GUARDED, SOURCES] {
        if nft.has_set(TABLE, set.name)? {
            batch.delete_set(TABLE, set.name);
        }
    }
    Ok(())
}

/// Adds the deletion of a guard: its port, and the source that its comment tells.
fn remove(nft: &mut Nft, batch: &mut Batch, guarded: Element) -> Result<(), Error> {
    batch.delete_element(TABLE, GUARDED.name, &guarded.key);
    match mac_of(&guarded) {
        Some(mac) => remove_source(nft, batch, guarded.key, mac),
        None => Ok(()),
    }
}

fn remove_source(
    nft: &mut Nft,
    batch: &mut Batch,
    port: Vec<u8>,
    mac: [u8; 6],
) -> Result<(), Error> {
    let source = source_key(port, mac);
    if nft.element(TABLE, SOURCES.name, &source)?.is_some() {
        batch.delete_element(TABLE, SOURCES.name, &source);
    }
    Ok(())
}

/// The port as a guarded one, and with the MAC that it may send from.
fn elements(network: &str, port: &str, mac: [u8; 6]) -> [Element; 2] {
    let comment = format!("{} {}", comment::label(network), text(mac));
    let element = |key, comment| Element {
        key,
        value: None,
        comment,
    };
    [
        element(key(port), Some(comment)),
        element(source_key(key(port), mac), None),
    ]
}

fn key(port: &str) -> Vec<u8> {
    let mut key = port.as_bytes().to_vec();
    key.resize(key.len().max(NAME), 0);
    key
}

fn source_key(mut key: Vec<u8>, mac: [u8; 6]) -> Vec<u8> {
    key.extend(mac);
    key.extend([0; 2]);
    key
}

fn text(mac: [u8; 6]) -> String {
    mac.map(|octet| format!("{octet:02x}")).join(":")
}

/// The MAC at the end of a guard's comment.
fn mac_of(guarded: &Element) -> Option<[u8; 6]> {
    let (_, mac) = guarded.comment.as_deref()?.rsplit_once(' ')?;
    let octets: Option<Vec<u8>> = mac
        .split(':')
        .map(|octet| u8::from_str_radix(octet, 16).ok())
        .collect();
    octets?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_comment_tells_the_mac() {
        let mac = [2, 0, 0xab, 0, 0, 1];
        let [mut guarded, _] = elements("podnet", "veth0", mac);
        assert_eq!(guarded.comment.as_deref(), Some("podnet 02:00:ab:00:00:01"));
        assert_eq!(mac_of(&guarded), Some(mac));
        for other in [
            "",
            "podnet",
            "podnet 02:00:ab:00:00",
            "podnet 02:00:ab:00:00:zz",
        ] {
            guarded.comment = Some(other.to_owned());
            assert_eq!(mac_of(&guarded), None);
        }
    }
}
