// SPDX-License-Identifier: Apache-2.0
//! The interfaces that were closed to packets of 127.0.0.1 before a mapping opened them.

use nft::{Batch, Element, Error, Nft};

use super::Wish;
use crate::localnet::{self, LoopbackPort};
use crate::ruleset::{OPENED, TABLE};

/// `IFNAMSIZ`: the length of an interface's name as a key, with the zeros behind it.
const NAME: usize = 16;

/// Notes which of the interfaces are closed by now; of one that is the attachment's own, whose.
pub(super) fn note(nft: &mut Nft, batch: &mut Batch, wish: &Wish<'_>) -> Result<(), Error> {
    let ports = wish.ports;
    let closed: Vec<_> = ports.iter().filter(|port| !port.is_open()).collect();
    if closed.is_empty() {
        return Ok(());
    }
    if !nft.has_set(TABLE, OPENED.name)? {
        batch.add_set(TABLE, &OPENED);
    }
    let noted = read(nft)?;
    for port in closed.into_iter().map(LoopbackPort::name) {
        if noted.iter().any(|it| it == port) {
            continue;
        }
        let own = wish.own_port == Some(port);
        let element = Element {
            key: key(port),
            value: None,
            comment: own.then(|| wish.holder.to_owned()),
        };
        batch.add_element(TABLE, OPENED.name, &element);
    }
    Ok(())
}

/// Closes the interfaces that are an attachment's own, if it is stale, and forgets them.
pub(super) fn forget(
    nft: &mut Nft,
    batch: &mut Batch,
    stale: impl Fn(&str) -> bool,
) -> Result<(), Error> {
    for element in nft.elements(TABLE, OPENED.name)? {
        if element.comment.as_deref().is_some_and(&stale) {
            localnet::set_open(&[name(&element)], false);
            batch.delete_element(TABLE, OPENED.name, &element.key);
        }
    }
    Ok(())
}

fn key(name: &str) -> Vec<u8> {
    let mut key = name.as_bytes().to_vec();
    key.resize(NAME, 0);
    key
}

fn name(element: &Element) -> String {
    let octets = element.key.split(|octet| *octet == 0).next();
    String::from_utf8_lossy(octets.unwrap_or_default()).into_owned()
}

/// The interfaces that are noted.
pub(super) fn read(nft: &mut Nft) -> Result<Vec<String>, Error> {
    let elements = nft.elements(TABLE, OPENED.name)?;
    Ok(elements.iter().map(name).collect())
}
