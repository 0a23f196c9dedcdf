// SPDX-License-Identifier: Apache-2.0
//! The attachment's pair: made in one request, the far end in the sandbox from the beginning, and
//! the near end as a port of the bridge.

use cni::{Attachment, Code, Error, OrCode};
use net::{Link, Mac, Netns, NewVeth, PortChange, Rtnl, VethEnd, sysctl};

use crate::attachment::{alias, host_interface};
use crate::conf::Conf;
use crate::host_bridge::HostBridge;
use crate::sandbox::Sandbox;
use crate::vlan::Vlans;

/// The attachment's pair as it was made.
#[derive(Debug)]
pub(crate) struct Pair {
    /// The host interface.
    pub(crate) host: Link,
    /// The container interface's MAC address.
    pub(crate) container_mac: Mac,
}

/// Makes the pair. An error leaves nothing of it.
pub(crate) fn create(
    rtnl: &Rtnl,
    conf: &Conf,
    bridge: &HostBridge,
    (network, attachment): (&str, &Attachment),
    sandbox: &Netns,
) -> Result<Pair, Error> {
    let random = || Mac::random().or_code(Code::KERNEL, "choose a MAC address");
    let host_name = host_interface(network, attachment);
    let alias = alias(network, attachment);
    let container_mac = conf.mac.map_or_else(random, Ok)?;
    let pair = NewVeth {
        host: VethEnd {
            name: &host_name,
            mac: random()?,
            up: true,
            master: Some(bridge.link.index),
            alias: Some(&alias),
        },
        container: VethEnd {
            name: &attachment.ifname,
            mac: container_mac,
            // Up when the port is ready: no frame passes before VLANs and checks are there.
            up: false,
            master: None,
            alias: None,
        },
        mtu: bridge.mtu,
        container_ns: Some(sandbox),
    };
    rtnl.create_veth(&pair)
        .or_code(Code::KERNEL, wish(conf, attachment))?;
    let host = rtnl
        .link(&host_name)
        .or_code(Code::KERNEL, wish(conf, attachment))?;
    let gone = || {
        Error::new(
            Code::TRY_AGAIN_LATER,
            format!("{host_name} was deleted during ADD"),
        )
    };
    Ok(Pair {
        host: host.ok_or_else(gone)?,
        container_mac,
    })
}

/// Gives the port what it needs before frames may pass: VLANs, hairpin, isolation.
pub(crate) fn configure(
    rtnl: &Rtnl,
    conf: &Conf,
    bridge: &HostBridge,
    port: &Link,
) -> Result<(), Error> {
    if conf.hairpin || conf.isolated {
        let change = PortChange {
            hairpin: conf.hairpin.then_some(true),
            isolated: conf.isolated.then_some(true),
        };
        rtnl.change_port(port.index, &change).or_code(
            Code::KERNEL,
            format_args!("set up bridge port {:?}", port.name),
        )?;
    }
    set_vlans(rtnl, &conf.vlans, bridge.default_pvid, port)?;
    // Best effort, as on a host without IPv6 there is no such file.
    let _ = sysctl::ensure(&format!("net/ipv6/conf/{}/accept_ra", port.name), "0");
    Ok(())
}

/// Makes `port` a member of `vlans`, and of the bridge's default VLAN only where that is wanted.
pub(crate) fn set_vlans(
    rtnl: &Rtnl,
    vlans: &Vlans,
    default_pvid: u16,
    port: &Link,
) -> Result<(), Error> {
    let wish = || format!("set the VLANs of bridge port {:?}", port.name);
    for vlan in vlans.wanted() {
        rtnl.add_port_vlan(port.index, &vlan)
            .or_code(Code::KERNEL, wish())?;
    }
    if vlans.drops_default(default_pvid) {
        rtnl.delete_port_vlan(port.index, default_pvid..=default_pvid)
            .or_code(Code::KERNEL, wish())?;
    }
    Ok(())
}

fn wish(conf: &Conf, attachment: &Attachment) -> String {
    format!(
        "attach {} of {} to {}",
        attachment.ifname, attachment.container_id, conf.bridge
    )
}

/// Refuses an attachment that is there already. Asked before the IPAM plugin is started: the
/// rollback of a second ADD must not release the address of the first.
pub(crate) fn ensure_absent(
    rtnl: &Rtnl,
    (network, attachment): (&str, &Attachment),
    sandbox: &Sandbox<'_>,
) -> Result<(), Error> {
    if sandbox.interface()?.is_some() {
        let msg = format!(
            "the sandbox already has an interface {:?}",
            attachment.ifname
        );
        return Err(Error::new(Code::ALREADY_ATTACHED, msg)
            .with_details("DEL the attachment that made it, or use another CNI_IFNAME"));
    }
    let name = host_interface(network, attachment);
    let holder = rtnl
        .link(&name)
        .or_code(Code::KERNEL, "look for an earlier attachment")?;
    let Some(holder) = holder else { return Ok(()) };
    let (code, whose) = if holder.alias == Some(alias(network, attachment)) {
        (
            Code::ALREADY_ATTACHED,
            "of this same attachment, in another sandbox: DEL it first",
        )
    } else {
        (Code::CONFLICT, "that is not this attachment's")
    };
    Err(Error::new(
        code,
        format!("the host already has an interface {name:?} {whose}"),
    ))
}
