// SPDX-License-Identifier: Apache-2.0
//! DEL: whatever is left of the attachment, with whatever input is left. The configuration's own
//! keys are not read: one that no longer validates is no obstacle.

use attachment::removal::{delete_pair, release_addresses};
use cni::{Code, Del, Error, OrCode};
use net::{Link, Rtnl};

use crate::conf::bridge_of;
use crate::firewall;

/// Takes the attachment away. The address is released only when its interface is gone, so that
/// nobody else is given it too early.
pub(crate) fn del(call: &Del) -> Result<(), Error> {
    let link = delete_pair(call, |host, port| leads_to_bridge(host, port, call));
    let ipam = match &link {
        Ok(()) => release_addresses(call),
        Err(_) => Ok(()),
    };
    let rules = firewall::release(&call.network.name, &call.attachment);
    Error::join(
        [link, ipam, rules]
            .into_iter()
            .filter_map(Result::err)
            .collect(),
    )
}

/// Whether a pair that has no mark of ours is what the reference plugin made.
fn leads_to_bridge(host: &Rtnl, port: &Link, call: &Del) -> Result<bool, Error> {
    let Ok(name) = bridge_of(&call.network) else {
        return Ok(false);
    };
    let wish = || format!("look up bridge {name:?}");
    let bridge = host.link(&name).or_code(Code::KERNEL, wish())?;
    Ok(bridge.is_some_and(|bridge| port.master == Some(bridge.index)))
}
