// SPDX-License-Identifier: Apache-2.0
//! The way back: whether flanneld does again what podwired did in its place.

use std::path::Path;

use dataplane::Origin;
use nft::Nft;
use topology::State;

use super::{SubnetEnv, legacy_tables};
use crate::cli::SUBNET_ENV;
use crate::error::Error;

/// Refuses to give back what flanneld has not taken: for want of both their rules pods would be cut
/// off from the world.
pub(crate) fn is_back(nft: &mut Nft, origin: Origin, state: Option<&State>) -> Result<(), Error> {
    if origin != Origin::Flannel {
        return Err(Error::NotFlannels);
    }
    let masquerades = state.is_some_and(|state| state.masquerade.is_some());
    if !masquerades || says_that_it_need_not() || !legacy_tables().is_empty() {
        return Ok(());
    }
    match nft::flannel::seen(nft)?.masquerades {
        true => Ok(()),
        false => Err(Error::FlannelIsAway),
    }
}

/// Its plugin then has the bridge masquerade; podwired, which masqueraded, had it say otherwise.
fn says_that_it_need_not() -> bool {
    SubnetEnv::read(Path::new(SUBNET_ENV)).is_some_and(|said| !said.ip_masq)
}
