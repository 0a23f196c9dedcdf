// SPDX-License-Identifier: Apache-2.0
//! CHECK: the attachment still holds the addresses of its result.

use cni::{Check, Code, Error};

use crate::conf::Conf;
use crate::{failure, owner};

/// A result may have addresses of other plugins; those of our ranges must be leased, and at least
/// one must be even if the ranges were changed meanwhile.
pub(crate) fn check(call: &Check) -> Result<(), Error> {
    let conf = Conf::of(&call.network)?;
    let result = call.required_prev_result()?;
    let owner = owner(&call.attachment);
    let mut found = false;
    for address in result.ips.iter().map(|ip| ip.address.ip()) {
        let held = conf.place.store.holds(&owner, address).map_err(failure)?;
        if !held && conf.sets.iter().any(|set| set.contains(address)) {
            let owner = &call.attachment;
            return Err(Error::new(
                Code::CHECK_FAILED,
                format!(
                    "address {address} is not leased to interface {} of container {} in network {}",
                    owner.ifname, owner.container_id, call.network.name
                ),
            ));
        }
        found |= held;
    }
    if found {
        return Ok(());
    }
    let container_id = &call.attachment.container_id;
    let msg = format!("host-local: Failed to find address added by container {container_id}");
    Err(Error::new(Code::CHECK_FAILED, msg))
}
