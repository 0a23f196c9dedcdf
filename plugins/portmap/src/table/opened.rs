// SPDX-License-Identifier: Apache-2.0
//! The interfaces that were closed to packets of 127.0.0.1 before a mapping opened them.

use nft::{Batch, Element, Error, Nft};

use crate::localnet::{self, LoopbackPort};
use crate::ruleset::{OPENED, TABLE};

/// `IFNAMSIZ`: the length of an interface's name as a key, with the zeros behind it.
const NAME: usize = 16;

/// Notes which of the interfaces are closed by now.
pub(super) fn note(nft: &mut Nft, batch: &mut Batch, ports: &[LoopbackPort]) -> Result<(), Error> {
    let closed: Vec<_> = ports.iter().filter(|port| !port.is_open()).collect();
    if closed.is_empty() {
        return Ok(());
    }
    if !nft.has_set(TABLE, OPENED.name)? {
        batch.add_set(TABLE, &OPENED);
    }
    let noted = read(nft)?;
    for port in closed
        .into_iter()
        .filter(|it| !noted.contains(&it.name().to_owned()))
    {
        let element = Element {
            key: key(port.name()),
            value: None,
            comment: None,
        };
        batch.add_element(TABLE, OPENED.name, &element);
    }
    Ok(())
}

/// Forgets interfaces that are gone: each pod has one of its own where no bridge leads to it.
pub(super) fn forget_gone(nft: &mut Nft, batch: &mut Batch) -> Result<(), Error> {
    for name in read(nft)?.iter().filter(|name| localnet::is_gone(name)) {
        batch.delete_element(TABLE, OPENED.name, &key(name));
    }
    Ok(())
}

fn key(name: &str) -> Vec<u8> {
    let mut key = name.as_bytes().to_vec();
    key.resize(NAME, 0);
    key
}

/// The interfaces that are noted.
pub(super) fn read(nft: &mut Nft) -> Result<Vec<String>, Error> {
    let elements = nft.elements(TABLE, OPENED.name)?;
    let name = |element: &Element| {
        let octets = element.key.split(|octet| *octet == 0).next();
        String::from_utf8_lossy(octets.unwrap_or_default()).into_owned()
    };
    Ok(elements.iter().map(name).collect())
}
