// SPDX-License-Identifier: Apache-2.0
//! DEL: whatever is left of the attachment, with whatever input is left.

use std::net::IpAddr;

use attachment::Ends;
use cni::{Code, Del, Error, OrCode};
use net::Rtnl;

use crate::add::open;
use crate::conf;
use crate::firewalld::Sources;
use crate::owner::Owner;
use crate::{forward, ingress};

/// Takes the attachment's rules away. Ours are known by the attachment alone; those of the
/// reference plugin by its addresses, from prevResult or from the sandbox.
pub(crate) fn del(call: &Del) -> Result<(), Error> {
    let owner = Owner::new(&call.network.name, &call.attachment);
    let addresses = addresses(call).unwrap_or_default();
    let mut nft = open()?;
    let (demand, zone) = conf::firewalld_of(&call.network);
    let sources = Sources {
        owner: &owner,
        addresses: &addresses,
        zone: &zone,
        demand,
    };
    let wish = "remove the attachment's firewall rules";
    let removed = [
        forward::remove(&mut nft, &owner, &addresses),
        ingress::remove(&mut nft, &owner),
    ];
    let removed = removed.map(|it| it.or_code(Code::FIREWALL, wish));
    let failed = removed.into_iter().chain([sources.remove(&mut nft)]);
    Error::join(failed.filter_map(Result::err).collect())
}

/// Rules of the reference plugin may have no owner any more; that is no reason to fail.
fn addresses(call: &Del) -> Result<Vec<IpAddr>, Error> {
    let ifname = &call.attachment.ifname;
    if let Some(result) = &call.prev_result {
        let reported = result.container_addresses(ifname);
        return Ok(reported.iter().map(|it| it.ip()).collect());
    }
    let Some(path) = &call.netns else {
        return Ok(Vec::new());
    };
    let wish = || format!("read the addresses of {ifname:?} in the sandbox");
    let rtnl = Rtnl::open().or_code(Code::KERNEL, wish())?;
    let Some(ends) = Ends::find_if_there(&rtnl, path, &call.attachment)? else {
        return Ok(Vec::new());
    };
    let held = ends.inside.addresses(ends.container.index);
    let held = held.or_code(Code::KERNEL, wish())?;
    Ok(held.iter().map(|it| it.network.ip()).collect())
}
