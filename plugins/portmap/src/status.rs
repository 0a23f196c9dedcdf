// SPDX-License-Identifier: Apache-2.0
//! STATUS: whether an ADD with mappings could succeed. A kubelet asks every five seconds, so this
//! reads the configuration and asks the kernel one question.

use cni::{Code, Error, OrCode, Status};
use nft::Nft;

use crate::conf::Conf;

/// Reports code 50 for what keeps an ADD from succeeding.
pub(crate) fn status(call: &Status) -> Result<(), Error> {
    Conf::new(&call.network)?;
    let generation = Nft::open().and_then(|mut nft| nft.generation());
    generation
        .map(drop)
        .or_code(Code::UNAVAILABLE, "talk to nf_tables")
}
