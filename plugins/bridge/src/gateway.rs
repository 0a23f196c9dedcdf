// SPDX-License-Identifier: Apache-2.0
//! The gateway: its addresses on the bridge (or on the bridge's VLAN interface), and forwarding.

use attachment::{forwarding, name::interface_name};
use cni::{Code, Error, OrCode};
use ipnetwork::IpNetwork;
use net::{Address, Kind, Link, LinkChange, Mac, NewVeth, Rtnl, VethEnd, sysctl};

use crate::bridge_port;
use crate::conf::Conf;
use crate::host_bridge::HostBridge;

/// Puts `gateways` on the bridge and turns forwarding on for their families. The VLAN interface
/// is returned when the addresses are there instead.
pub(crate) fn ensure(
    rtnl: &Rtnl,
    conf: &Conf,
    bridge: &HostBridge,
    gateways: &[IpNetwork],
) -> Result<Option<Link>, Error> {
    let vlan = match conf.vlans.access {
        Some(_) => Some(ensure_vlan_interface(rtnl, conf, bridge)?),
        None => None,
    };
    let holder = vlan.as_ref().unwrap_or(&bridge.link);
    if !conf.dad && (bridge.ours || vlan.is_some()) {
        // Of the link-local address: until it can be used, the host finds no pod for packets that
        // come from elsewhere. Best effort, as on a host without IPv6 there is no such file.
        let _ = sysctl::ensure(&format!("net/ipv6/conf/{}/accept_dad", holder.name), "0");
    }
    if conf.route_via_gateway {
        send_no_redirects(&holder.name);
    }
    let wish = || format!("read the addresses of {:?}", holder.name);
    let present = rtnl.addresses(holder.index).or_code(Code::KERNEL, wish())?;
    for &gateway in gateways {
        ensure_address(rtnl, conf, holder, &present, gateway)?;
    }
    for path in forwarding(gateways.iter().copied()) {
        sysctl::ensure(path, "1").or_code(Code::KERNEL, "failed to enable forwarding")?;
    }
    Ok(vlan)
}

/// Pods that are to speak to each other by the gateway need not be told of a shorter way. They take
/// no redirects anyway, so this saves packets and no more, and where it can't be set none is lost. The
/// switch of `all` is in force where an interface's own is off, and that of each other stays.
fn send_no_redirects(holder: &str) {
    for whose in [holder, "all"] {
        let _ = sysctl::ensure(&format!("net/ipv4/conf/{whose}/send_redirects"), "0");
    }
}

fn ensure_address(
    rtnl: &Rtnl,
    conf: &Conf,
    holder: &Link,
    present: &[Address],
    gateway: IpNetwork,
) -> Result<(), Error> {
    if present.iter().any(|address| address.network == gateway) {
        return Ok(());
    }
    // Two networks may share a bridge as long as their subnets are apart.
    for other in present
        .iter()
        .filter(|other| overlap(other.network, gateway))
    {
        if !conf.force_address {
            let msg = format!(
                "{:?} already has an IP address different from {gateway}",
                holder.name
            );
            return Err(Error::new(Code::CONFLICT, msg).with_details(format!(
                "it has {}; forceAddress would replace it",
                other.network
            )));
        }
        let wish = format!("remove address {} from {:?}", other.network, holder.name);
        match rtnl.delete_address(holder.index, other.network) {
            Err(error) if error.is_not_found() => {}
            deleted => deleted.or_code(Code::KERNEL, wish)?,
        }
    }
    match rtnl.add_address(holder.index, gateway, true) {
        Err(error) if error.is_exists() => Ok(()),
        added => added.or_code(
            Code::KERNEL,
            format_args!("add address {gateway} to {:?}", holder.name),
        ),
    }
}

fn overlap(a: IpNetwork, b: IpNetwork) -> bool {
    a.is_ipv4() == b.is_ipv4() && (a.contains(b.network()) || b.contains(a.network()))
}

/// `BRIDGE.VID`: one end of a pair whose other end is a port of the bridge in that VLAN. Two first
/// ADDs may make it at once: the one that comes second completes what is there.
fn ensure_vlan_interface(rtnl: &Rtnl, conf: &Conf, bridge: &HostBridge) -> Result<Link, Error> {
    let name = conf.gateway_interface();
    let wish = format!("make the gateway interface {name:?}");
    let mut found = find_with_port(rtnl, &name, &wish)?;
    if let Some((link, Some(port))) = &found
        && port.master.is_none()
        && port.name == interface_name(&[&name])
    {
        // Made by this plugin, and left behind by a bridge that somebody deleted.
        match rtnl.delete_link(link.index) {
            Err(error) if error.is_not_found() => {}
            deleted => deleted.or_code(Code::KERNEL, &wish)?,
        }
        found = None;
    }
    if found.is_none() {
        create_vlan_interface(rtnl, bridge, &name, &wish)?;
        found = find_with_port(rtnl, &name, &wish)?;
    }
    let gone = || Error::new(Code::TRY_AGAIN_LATER, format!("{wish}: it was deleted"));
    let (link, port) = found.ok_or_else(gone)?;
    match port {
        Some(port) if port.master == Some(bridge.link.index) => {
            bridge_port::set_vlans(
                rtnl,
                &conf.vlans.access_only(),
                bridge.default_pvid,
                (port.index, &port.name),
            )?;
            for end in [&link, &port].into_iter().filter(|end| !end.up) {
                let up = LinkChange {
                    up: Some(true),
                    ..LinkChange::default()
                };
                rtnl.change_link(end.index, &up)
                    .or_code(Code::KERNEL, &wish)?;
            }
            Ok(link)
        }
        _ => {
            let bridge = &bridge.link.name;
            let msg = format!("{name:?} already exists but does not lead to bridge {bridge:?}");
            Err(Error::new(Code::CONFLICT, msg))
        }
    }
}

/// The interface `name` and, when it is one end of a pair, the other.
fn find_with_port(
    rtnl: &Rtnl,
    name: &str,
    wish: &str,
) -> Result<Option<(Link, Option<Link>)>, Error> {
    let Some(link) = rtnl.link(name).or_code(Code::KERNEL, wish)? else {
        return Ok(None);
    };
    let port = match (&link.kind, link.peer) {
        (Kind::Veth, Some(peer)) => rtnl.link_at(peer).or_code(Code::KERNEL, wish)?,
        _ => None,
    };
    Ok(Some((link, port)))
}

fn create_vlan_interface(
    rtnl: &Rtnl,
    bridge: &HostBridge,
    name: &str,
    wish: &str,
) -> Result<(), Error> {
    let mac = || Mac::random().or_code(Code::KERNEL, "choose a MAC address");
    let port_name = interface_name(&[name]);
    let end = |name, mac, master| VethEnd {
        name,
        mac,
        up: true,
        master,
        alias: None,
    };
    let pair = NewVeth {
        host: end(&port_name, mac()?, Some(bridge.link.index)),
        container: end(name, mac()?, None),
        mtu: bridge.mtu,
        container_ns: None,
    };
    match rtnl.create_veth(&pair) {
        Err(error) if error.is_exists() => Ok(()),
        made => made.map(drop).or_code(Code::KERNEL, wish),
    }
}
