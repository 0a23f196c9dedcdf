// SPDX-License-Identifier: Apache-2.0
//! The container's end, and the bridge port that leads to it.

use std::path::Path;

use attachment::Ends;
use cni::{Attachment, Code, Error, OrCode};
use net::{Link, PortChange, Rtnl, sysctl};

use crate::mapping::Mapping;

/// Where `br_netfilter` says whether frames between ports of a bridge go through the rules, too.
const BRIDGED: [&str; 2] = [
    "net/bridge/bridge-nf-call-iptables",
    "net/bridge/bridge-nf-call-ip6tables",
];

/// The interfaces of the attachment; refuses a prevResult that tells of addresses that the container
/// does not have.
pub(crate) fn ends<'a>(
    host: &'a Rtnl,
    netns: &Path,
    attachment: &Attachment,
    mappings: &[Mapping],
) -> Result<Ends<'a>, Error> {
    let ends = Ends::find(host, netns, attachment)?;
    ends.ensure_addresses(mappings.iter().map(|mapping| mapping.target.ip()))?;
    Ok(ends)
}

/// A bridge port that must send frames back for its container to reach itself: where `br_netfilter`
/// is on, a frame is translated while it is bridged and does not leave the bridge, be it promiscuous
/// or not.
pub(crate) fn port_without_hairpin<'a>(ends: &'a Ends<'_>) -> Option<&'a Link> {
    let port = ends.port.as_ref()?;
    ends.bridge.as_ref()?;
    let hairpin = port.port.is_none_or(|flags| flags.hairpin);
    let bridged = || BRIDGED.iter().any(|path| is_on(path));
    (!hairpin && bridged()).then_some(port)
}

fn is_on(path: &str) -> bool {
    sysctl::read(path).is_ok_and(|value| value != "0")
}

/// Has the port of the container send frames back, if it must.
pub(crate) fn reflect(host: &Rtnl, ends: &Ends<'_>) -> Result<(), Error> {
    let Some(port) = port_without_hairpin(ends) else {
        return Ok(());
    };
    let change = PortChange {
        hairpin: Some(true),
        ..PortChange::default()
    };
    let wish = format!("have bridge port {:?} send frames back", port.name);
    host.change_port(port.index, &change)
        .or_code(Code::KERNEL, wish)
}
