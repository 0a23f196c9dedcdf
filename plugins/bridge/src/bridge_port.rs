// SPDX-License-Identifier: Apache-2.0
//! The attachment's pair: made in one request, the far end in the sandbox from the beginning, and
//! the near end as a port of the bridge.

use cni::{Attachment, Code, Error, OrCode};
use net::{Kind, Mac, Netns, NewVeth, PortChange, Rtnl, VethEnd, sysctl};

use crate::conf::Conf;
use crate::host_bridge::HostBridge;
use crate::sandbox::Sandbox;
use crate::vlan::Vlans;
use attachment::name::{alias, host_interface};

/// The MTU in bytes of a pair that was given none, ETH_DATA_LEN of `linux/if_ether.h`.
const DEFAULT_MTU: u32 = 1500;

/// The attachment's pair as it was made.
#[derive(Debug)]
pub(crate) struct Pair {
    /// The host interface.
    pub(crate) host: End,
    /// The container interface.
    pub(crate) container: End,
    /// The MTU of both in bytes.
    pub(crate) mtu: u32,
}

/// One end of the pair, in its own namespace.
#[derive(Debug)]
pub(crate) struct End {
    /// The interface's index.
    pub(crate) index: u32,
    /// The interface's name.
    pub(crate) name: String,
    /// The interface's MAC address.
    pub(crate) mac: Mac,
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
    let (host_mac, container_mac) = (random()?, conf.mac.map_or_else(random, Ok)?);
    let host_name = host_interface(network, attachment);
    let alias = alias(network, attachment);
    let pair = NewVeth {
        host: VethEnd {
            name: &host_name,
            mac: host_mac,
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
    let made = rtnl.create_veth(&pair).or_code(
        Code::KERNEL,
        format_args!(
            "attach {} of {} to {}",
            attachment.ifname, attachment.container_id, conf.bridge
        ),
    )?;
    Ok(Pair {
        host: End {
            index: made.host,
            name: host_name,
            mac: host_mac,
        },
        container: End {
            index: made.container,
            name: attachment.ifname.clone(),
            mac: container_mac,
        },
        mtu: bridge.mtu.unwrap_or(DEFAULT_MTU),
    })
}

/// Gives the port what it needs before frames may pass: VLANs, hairpin, isolation.
pub(crate) fn configure(
    rtnl: &Rtnl,
    conf: &Conf,
    bridge: &HostBridge,
    port: &End,
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
    set_vlans(
        rtnl,
        &conf.vlans,
        bridge.default_pvid,
        (port.index, &port.name),
    )?;
    // Best effort, as on a host without IPv6 there is no such file.
    let _ = sysctl::ensure(&format!("net/ipv6/conf/{}/accept_ra", port.name), "0");
    Ok(())
}

/// Makes the port of that index and name a member of `vlans`, and of the bridge's default VLAN only
/// where that is wanted.
pub(crate) fn set_vlans(
    rtnl: &Rtnl,
    vlans: &Vlans,
    default_pvid: u16,
    (index, name): (u32, &str),
) -> Result<(), Error> {
    let wish = || format!("set the VLANs of bridge port {name:?}");
    for vlan in vlans.wanted() {
        rtnl.add_port_vlan(index, &vlan)
            .or_code(Code::KERNEL, wish())?;
    }
    if vlans.drops_default(default_pvid) {
        rtnl.delete_port_vlan(index, default_pvid..=default_pvid)
            .or_code(Code::KERNEL, wish())?;
    }
    Ok(())
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
    // A pair without an alias is what an ADD that was killed left.
    let own = alias(network, attachment);
    let is_own = holder.kind == Kind::Veth && holder.alias.is_none_or(|alias| alias == own);
    let (code, whose) = if is_own {
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
