// SPDX-License-Identifier: Apache-2.0
//! GC: host interfaces, rules and addresses of this network that no valid attachment owns.

use attachment::removal::{self, collect_addresses, valid_ports};
use cni::{Code, Error, Gc, OrCode};
use net::Rtnl;

use crate::firewall;

/// Collects; a failure keeps nothing else from being collected but the addresses of links that are
/// still there, and all failures are reported.
pub(crate) fn gc(call: &Gc) -> Result<(), Error> {
    let valid = valid_ports(call);
    let links = collect_links(call, &valid);
    let rules = firewall::collect(&call.network.name, &valid);
    // An address is given back when its interface is gone, no earlier.
    let ipam = match &links {
        Ok(()) => collect_addresses(call),
        Err(_) => Ok(()),
    };
    Error::join(
        [links, rules, ipam]
            .into_iter()
            .filter_map(Result::err)
            .collect(),
    )
}

/// There is no bridge whose ports they would be: the alias says whose an interface is.
fn collect_links(call: &Gc, valid: &[String]) -> Result<(), Error> {
    let wish = "collect host interfaces";
    let rtnl = Rtnl::open().or_code(Code::KERNEL, wish)?;
    let links = rtnl.veths().or_code(Code::KERNEL, wish)?;
    removal::collect(&rtnl, &call.network.name, valid, &links)
}
