// SPDX-License-Identifier: Apache-2.0
//! STATUS: whether an ADD would find a place for its lease and, if that is wished, an address.
//! Runtimes ask every few seconds and take a failure for the node's, so it takes no lock, and
//! full ranges are a failure only where the configuration says so.

use cni::{Code, Error, Status};

use crate::conf::Conf;

pub(crate) fn status(call: &Status) -> Result<(), Error> {
    let conf = Conf::of(&call.network)?;
    let unavailable = |msg: String| Error::new(Code::UNAVAILABLE, msg);
    let store = &conf.place.store;
    store
        .check_usable()
        .map_err(|error| unavailable(error.to_string()))?;
    if !conf.status_when_exhausted {
        return Ok(());
    }
    for set in &conf.sets {
        if store
            .is_exhausted(set)
            .map_err(|error| unavailable(error.to_string()))?
        {
            let msg = format!("no IP addresses available in range set: {set}");
            return Err(unavailable(format!("network {}: {msg}", call.network.name)));
        }
    }
    Ok(())
}
