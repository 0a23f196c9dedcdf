// SPDX-License-Identifier: Apache-2.0
//! The attachment's host interface as a port of the bridge.

use attachment::End;
use cni::{Code, Error, OrCode};
use net::{PortChange, Rtnl, sysctl};

use crate::conf::Conf;
use crate::host_bridge::HostBridge;
use crate::vlan::Vlans;

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
