// SPDX-License-Identifier: Apache-2.0
//! GC: host interfaces, rules and addresses of this network that no valid attachment owns.

use cni::{Call, Code, Error, Gc, OrCode};
use net::Rtnl;

use crate::{conf, firewall};
use attachment::name::{alias_of_network, host_interface};

/// Collects; a failure keeps nothing else from being collected but the addresses of links that are
/// still there, and all failures are reported.
pub(crate) fn gc(call: &Gc) -> Result<(), Error> {
    let network = &call.network.name;
    let valid: Vec<String> = call
        .valid
        .iter()
        .map(|attachment| host_interface(network, attachment))
        .collect();
    let links = collect_links(call, &valid);
    let rules = firewall::collect(network, &valid);
    // An address is given back when its interface is gone, no earlier.
    let ipam = match call.network.ipam_type().filter(|_| links.is_ok()) {
        Some(plugin) => call.delegate(plugin).and_then(|delegate| delegate.gc()),
        None => Ok(()),
    };
    Error::join(
        [links, rules, ipam]
            .into_iter()
            .filter_map(Result::err)
            .collect(),
    )
}

fn collect_links(call: &Gc, valid: &[String]) -> Result<(), Error> {
    let bridge = conf::bridge_of(&call.network)?;
    let wish = || format!("collect the ports of bridge {bridge:?}");
    let rtnl = Rtnl::open().or_code(Code::KERNEL, wish())?;
    let Some(link) = rtnl.link(&bridge).or_code(Code::KERNEL, wish())? else {
        return Ok(());
    };
    let ours = alias_of_network(&call.network.name);
    let ports = rtnl.ports(link.index).or_code(Code::KERNEL, wish())?;
    let stale = ports.iter().filter(|port| {
        port.alias
            .as_deref()
            .is_some_and(|alias| alias.starts_with(&ours))
            && !valid.contains(&port.name)
    });
    let failed = stale.filter_map(|port| match rtnl.delete_link(port.index) {
        Err(error) if error.is_not_found() => None,
        deleted => deleted
            .or_code(Code::KERNEL, format_args!("delete {:?}", port.name))
            .err(),
    });
    Error::join(failed.collect())
}
