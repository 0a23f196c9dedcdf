// SPDX-License-Identifier: Apache-2.0
//! DEL: whatever is left of the attachment, with whatever input is left. The configuration's own
//! keys are not read: one that no longer validates is no obstacle.

use attachment::removal::{delete_pair, release_addresses};
use cni::{Code, Del, Error, OrCode};
use ipnetwork::IpNetwork;
use net::{Link, Rtnl};

use crate::firewall;

/// Takes the attachment away. The address is released only when its interface is gone, so that
/// nobody else is given it too early.
pub(crate) fn del(call: &Del) -> Result<(), Error> {
    let link = delete_pair(call, is_as_the_reference_makes);
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

/// Whether a pair that has no mark of ours is what the reference plugin made: no bridge's port, and
/// on the host's end nothing but single addresses, the gateways'.
fn is_as_the_reference_makes(host: &Rtnl, port: &Link) -> Result<bool, Error> {
    if port.master.is_some() {
        return Ok(false);
    }
    let wish = format_args!("read the addresses of {:?}", port.name);
    let addresses = host.addresses(port.index).or_code(Code::KERNEL, wish)?;
    let mut given = addresses.iter().filter(|it| !it.link_local).peekable();
    let any = given.peek().is_some();
    Ok(any && given.all(|it| it.network == IpNetwork::from(it.network.ip())))
}
