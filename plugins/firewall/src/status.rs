// SPDX-License-Identifier: Apache-2.0
//! STATUS: whether an ADD would give a pod packets that pass.

use cni::{Code, Error, OrCode, Status};
use nft::{Family, Nft};

use crate::conf::Conf;
use crate::{firewalld, obstacle};

/// Reports code 50 for what keeps an ADD from succeeding, and 51 where pods can't be reached.
pub(crate) fn status(call: &Status) -> Result<(), Error> {
    let conf = Conf::new(&call.network)?;
    firewalld::status(conf.demand)?;
    let wish = "look at the host's firewall";
    let mut nft = Nft::open().or_code(Code::UNAVAILABLE, wish)?;
    // Which protocols the network has is not known: one that nobody uses may be dropped.
    let obstacles = obstacle::seek(&mut nft, &[Family::Inet]).or_code(Code::UNAVAILABLE, wish)?;
    let certain = obstacles.iter().filter(|obstacle| obstacle.certain);
    let sentences: Vec<_> = certain.map(obstacle::Obstacle::sentence).collect();
    if sentences.is_empty() {
        return Ok(());
    }
    Err(Error::new(Code::UNAVAILABLE_LIMITED, sentences.join("; ")))
}
