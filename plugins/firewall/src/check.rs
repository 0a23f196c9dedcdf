// SPDX-License-Identifier: Apache-2.0
//! CHECK: the attachment's packets pass as ADD has seen to it.

use cni::{Check, Code, Error, OrCode};
use nft::Nft;

use crate::add::{Wish, open};
use crate::conf::Conf;
use crate::ingress::Guarded;
use crate::{forward, ingress, obstacle};

/// Looks at everything and reports all that differs, code 105.
pub(crate) fn check(call: &Check) -> Result<(), Error> {
    let conf = Conf::new(&call.network)?;
    let result = call.required_prev_result()?;
    let wish = Wish::new(&conf, &call.network.name, &call.attachment, result)?;
    let mut nft = open()?;
    let read = "read the firewall's rules";
    let mut found = wish
        .passage()
        .missing(&mut nft)
        .or_code(Code::FIREWALL, read)?;
    if let Some(guarded) = &wish.guarded {
        found.extend(missing_guard(&mut nft, guarded).or_code(Code::FIREWALL, read)?);
    }
    found.extend(wish.sources().missing()?);
    let obstacles = obstacle::seek(&mut nft, &wish.families()).or_code(Code::FIREWALL, read)?;
    let certain = obstacles.iter().filter(|obstacle| obstacle.certain);
    found.extend(certain.map(obstacle::Obstacle::sentence));
    if found.is_empty() {
        return Ok(());
    }
    Err(Error::new(Code::CHECK_FAILED, found.join("; ")))
}

/// An attachment that the reference plugin made has rules of its kind, of which it is not known
/// whose they are.
fn missing_guard(nft: &mut Nft, guarded: &Guarded) -> Result<Vec<String>, nft::Error> {
    if !ingress::knows(nft, guarded)? && forward::guards_by_reference(nft)? {
        return Ok(Vec::new());
    }
    ingress::missing(nft, guarded)
}
