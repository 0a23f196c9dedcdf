// SPDX-License-Identifier: Apache-2.0
//! The check of source MAC addresses of plugin `bridge`: a port that is guarded lets only frames
//! from the interface's own address pass. When a plugin behind changes the address it is that one.

use attachment::Ends;
use cni::{Code, Error, OrCode};
use net::Mac;
use nft::{Nft, spoof};

/// What the guard of a port let pass before.
pub(crate) struct Earlier {
    network: String,
    port: String,
    mac: [u8; 6],
}

impl Earlier {
    /// Lets that pass again, and nothing else.
    pub(crate) fn put_back(&self) {
        let Self { network, port, mac } = self;
        drop(Nft::open().and_then(|mut nft| spoof::guard(&mut nft, network, port, *mac)));
    }
}

/// Lets the interface's frames pass under another address, if its port is guarded.
pub(crate) fn admit(network: &str, ends: &Ends<'_>, mac: Mac) -> Result<Option<Earlier>, Error> {
    let Some(port) = ends.port.as_ref().filter(|_| ends.bridge.is_some()) else {
        return Ok(None);
    };
    let port = port.name.clone();
    let mut nft = match Nft::open() {
        // Without nf_tables in the kernel nothing is guarded.
        Err(error) if error.is_unsupported() => return Ok(None),
        opened => opened.or_code(Code::FIREWALL, "talk to nf_tables")?,
    };
    let wish = format!("admit MAC address {mac} at bridge port {port:?}");
    let before = spoof::admitted(&mut nft, &port).or_code(Code::FIREWALL, &wish)?;
    let Some(before) = before.filter(|before| *before != mac.octets()) else {
        return Ok(None);
    };
    spoof::guard(&mut nft, network, &port, mac.octets()).or_code(Code::FIREWALL, &wish)?;
    let network = network.to_owned();
    let mac = before;
    Ok(Some(Earlier { network, port, mac }))
}
