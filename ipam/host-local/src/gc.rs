// SPDX-License-Identifier: Apache-2.0
//! GC: takes back the leases of attachments that are no more, and of earlier boots.

use cni::{Error, Gc};

use crate::conf::Place;
use crate::{failure, owner};

pub(crate) fn gc(call: &Gc) -> Result<(), Error> {
    let place = Place::tolerant(&call.network)?;
    if !place.store.exists().map_err(failure)? {
        return Ok(());
    }
    let valid = call.valid.iter().map(owner).collect();
    place
        .store
        .locked(place.lock_timeout, |leases| leases.collect(&valid))
        .map_err(failure)
}
