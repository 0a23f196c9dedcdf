// SPDX-License-Identifier: Apache-2.0
//! The source-MAC check of bridge ports, in table `bridge podwire`.

use crate::{Error, Nft};

/// Lets only frames from `mac` enter the bridge through `port`.
pub fn guard(_nft: &mut Nft, _network: &str, _port: &str, _mac: [u8; 6]) -> Result<(), Error> {
    Ok(())
}

/// What of the guard the kernel does not hold, a sentence each.
pub fn missing(
    _nft: &mut Nft,
    _network: &str,
    _port: &str,
    _mac: [u8; 6],
) -> Result<Vec<String>, Error> {
    Ok(Vec::new())
}

/// Removes the guard of `port`.
pub fn release(_nft: &mut Nft, _port: &str) -> Result<(), Error> {
    Ok(())
}

/// Removes the guards of the network's ports other than the valid ones.
pub fn collect(_nft: &mut Nft, _network: &str, _valid_ports: &[String]) -> Result<(), Error> {
    Ok(())
}
