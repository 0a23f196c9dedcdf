// SPDX-License-Identifier: Apache-2.0
//! STATUS: whether an ADD could succeed. A kubelet asks every five seconds, so this looks up one
//! link, asks the IPAM plugin and takes no lock.

use cni::{Call, Code, Error, OrCode, Status, warn};
use net::{Rtnl, sysctl};
use std::collections::BTreeMap;

use crate::conf::Conf;
use crate::host_bridge;

/// Whether bridges hand the packets that they forward to netfilter; absent without br_netfilter.
const BRIDGE_NETFILTER: [&str; 2] = [
    "net/bridge/bridge-nf-call-iptables",
    "net/bridge/bridge-nf-call-ip6tables",
];

/// Reports code 50 for what keeps an ADD from succeeding.
pub(crate) fn status(call: &Status) -> Result<(), Error> {
    let conf = Conf::new(&call.network, &BTreeMap::new())?;
    let wish = || format!("look up bridge {:?}", conf.bridge);
    let rtnl = Rtnl::open().or_code(Code::UNAVAILABLE, wish())?;
    if let Some(link) = rtnl.link(&conf.bridge).or_code(Code::UNAVAILABLE, wish())? {
        host_bridge::as_bridge(&link).map_err(|error| Error {
            code: Code::UNAVAILABLE,
            ..error
        })?;
    }
    warn_of_services(&conf);
    match &conf.ipam {
        Some(plugin) => call.delegate(plugin)?.status(),
        None => Ok(()),
    }
}

/// Said and not reported: pods can be attached, and most of what they do works. A kubelet would take
/// the node out of service.
fn warn_of_services(conf: &Conf) {
    if !conf.is_gateway || conf.ipam.is_none() || conf.route_via_gateway {
        return;
    }
    let is_off = |path: &&str| !sysctl::read(path).is_ok_and(|value| value == "1");
    let off: Vec<_> = BRIDGE_NETFILTER.into_iter().filter(is_off).collect();
    if !off.is_empty() {
        warn(format_args!(
            "bridge {:?} forwards between its pods past netfilter ({} is not 1): Services fail whose \
             pod is on the client's node; load br_netfilter and set it, or use routeViaGateway",
            conf.bridge,
            off.join(" and ")
        ));
    }
}
