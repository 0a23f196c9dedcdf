// SPDX-License-Identifier: Apache-2.0
//! DEL: gives back what the attachment holds. Nothing held, or no store at all, is as good.

use cni::{Del, Error};

use crate::conf::Place;
use crate::{failure, owner};

pub(crate) fn del(call: &Del) -> Result<(), Error> {
    let place = Place::tolerant(&call.network)?;
    if !place.store.exists().map_err(failure)? {
        return Ok(());
    }
    let owner = owner(&call.attachment);
    place
        .store
        .locked(place.lock_timeout, |leases| {
            leases.release(&owner).map(drop)
        })
        .map_err(failure)
}
