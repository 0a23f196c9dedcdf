// SPDX-License-Identifier: Apache-2.0
//! The container's end, and the host's interface that leads to it.

use std::net::IpAddr;
use std::path::Path;

use attachment::Ends;
use cni::{Attachment, Code, Error, OrCode};
use net::{Link, PortChange, Rtnl, sysctl};

use crate::conf::Policy;
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
    let ifname = &attachment.ifname;
    let addresses = ends.inside.addresses(ends.container.index);
    let wish = format_args!("read the addresses of {ifname:?}").to_string();
    let addresses = addresses.or_code(Code::KERNEL, wish)?;
    for mapping in mappings {
        let wanted = mapping.target.ip();
        if !addresses.iter().any(|held| held.network.ip() == wanted) {
            let text = format!(
                "prevResult does not match the sandbox: {ifname:?} has no address {wanted}"
            );
            return Err(Error::new(Code::INVALID_CONFIG, text));
        }
    }
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

/// An interface of the host by which packets from 127.0.0.1 are to go to a container.
#[derive(Debug)]
pub(crate) struct LoopbackPort {
    name: String,
}

impl LoopbackPort {
    fn path(&self) -> String {
        format!("net/ipv4/conf/{}/route_localnet", self.name)
    }

    /// Lets them through.
    pub(crate) fn open(&self) -> Result<(), Error> {
        let wish = format!("let packets from 127.0.0.1 leave by {:?}", self.name);
        sysctl::ensure(&self.path(), "1").or_code(Code::KERNEL, wish)
    }

    /// What keeps them from passing.
    pub(crate) fn missing(&self) -> Result<Option<String>, Error> {
        let path = self.path();
        let value = sysctl::read(&path).or_code(Code::KERNEL, "read a setting of the interface")?;
        Ok((value != "1").then(|| format!("{path} is {value}")))
    }
}

/// The interfaces that lead to the containers' IPv4 addresses, if clients on 127.0.0.1 are served. Of
/// IPv6 the kernel asks for no such setting.
pub(crate) fn loopback_ports(
    host: &Rtnl,
    policy: &Policy,
    mappings: &[Mapping],
) -> Result<Vec<LoopbackPort>, Error> {
    let targets = mappings.iter().map(|mapping| mapping.target.ip());
    let mut targets: Vec<IpAddr> = targets.filter(IpAddr::is_ipv4).collect();
    targets.dedup();
    if policy.snat.is_none() || targets.is_empty() {
        return Ok(Vec::new());
    }
    targets
        .into_iter()
        .map(|target| leads_to(host, target))
        .collect()
}

fn leads_to(rtnl: &Rtnl, target: IpAddr) -> Result<LoopbackPort, Error> {
    let wish = || format!("look up the interface that leads to {target}");
    let route = rtnl.lookup(target).or_code(Code::KERNEL, wish())?;
    let index = route.and_then(|route| route.oif);
    let link = match index {
        Some(index) => rtnl.link_at(index).or_code(Code::KERNEL, wish())?,
        None => None,
    };
    let link = link.ok_or_else(|| {
        let text = format!("no route of the host leads to the container's address {target}");
        Error::new(Code::INVALID_CONFIG, text)
    })?;
    Ok(LoopbackPort { name: link.name })
}
