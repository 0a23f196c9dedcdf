// SPDX-License-Identifier: Apache-2.0
//! The bridge of the host: made when missing, otherwise brought to what the configuration says as
//! far as that harms nobody who uses it already.

use attachment::name::BRIDGE_ALIAS;
use attachment::{mtu_of_default_route, refuse_to_end_ipv6};
use cni::{Code, Error, OrCode};
use net::{Kind, Link, LinkChange, Mac, NewBridge, Rtnl, sysctl};

use crate::conf::Conf;

/// How often the bridge is looked for and made, when others delete or make it in between.
const ATTEMPTS: u32 = 8;

/// The bridge as it is after [`ensure`], and the MTU of what is attached to it.
#[derive(Debug)]
pub(crate) struct HostBridge {
    /// The bridge.
    pub(crate) link: Link,
    /// Whether this plugin made it; otherwise others may depend on its settings.
    pub(crate) ours: bool,
    /// The VLAN that the bridge gives to each new port; 0 when there is none.
    pub(crate) default_pvid: u16,
    /// MTU in bytes for a new pair; `None` leaves it to the kernel.
    pub(crate) mtu: Option<u32>,
}

/// Makes the configuration's bridge, or adapts the one that is there.
pub(crate) fn ensure(rtnl: &Rtnl, conf: &Conf) -> Result<HostBridge, Error> {
    let wanted_mtu = match conf.mtu {
        Some(mtu) => Some(mtu),
        None => mtu_of_default_route(rtnl)?,
    };
    for _ in 0..ATTEMPTS {
        if let Some(link) = rtnl
            .link(&conf.bridge)
            .or_code(Code::KERNEL, "look up the bridge")?
        {
            return adopt(rtnl, conf, link, wanted_mtu);
        }
        create(rtnl, conf, wanted_mtu)?;
    }
    let name = &conf.bridge;
    let msg = format!("bridge {name:?} disappears as often as it is made; who deletes it?");
    Err(Error::new(Code::TRY_AGAIN_LATER, msg))
}

/// The bridge `link` is, or the error that says what stands in its place.
pub(crate) fn as_bridge(link: &Link) -> Result<(bool, u16), Error> {
    match link.kind {
        Kind::Bridge {
            vlan_filtering,
            default_pvid,
        } => Ok((vlan_filtering, default_pvid)),
        _ => {
            let msg = format!("{:?} already exists but is not a bridge", link.name);
            Err(Error::new(Code::CONFLICT, msg))
        }
    }
}

/// One that another ADD makes at the same moment is as good as ours.
fn create(rtnl: &Rtnl, conf: &Conf, mtu: Option<u32>) -> Result<(), Error> {
    let mac = Mac::random().or_code(Code::KERNEL, "choose a MAC address for the bridge")?;
    let bridge = NewBridge {
        name: &conf.bridge,
        mac,
        mtu,
        vlan_filtering: conf.vlans.need_filtering(),
        alias: Some(BRIDGE_ALIAS),
    };
    match rtnl.create_bridge(&bridge) {
        Err(error) if error.is_exists() => Ok(()),
        made => {
            let wish = format!("failed to create bridge {:?}", conf.bridge);
            made.or_code(Code::KERNEL, wish + with_filtering(bridge.vlan_filtering))
        }
    }
}

/// For messages: a kernel without CONFIG_BRIDGE_VLAN_FILTERING says only that it doesn't support
/// what was asked for.
fn with_filtering(wanted: bool) -> &'static str {
    if wanted { " with VLAN filtering" } else { "" }
}

fn adopt(
    rtnl: &Rtnl,
    conf: &Conf,
    link: Link,
    wanted_mtu: Option<u32>,
) -> Result<HostBridge, Error> {
    let (filters, default_pvid) = as_bridge(&link)?;
    let turn_filtering_on = conf.vlans.need_filtering() && !filters;
    if turn_filtering_on && default_pvid == 0 {
        let msg = format!(
            "bridge {:?} does not filter VLANs and has default_pvid 0: with filtering its other \
             ports would be cut off",
            link.name
        );
        // So it is on every kernel without CONFIG_BRIDGE_VLAN_FILTERING.
        let help = "turn vlan_filtering on by hand, if the kernel has VLAN filtering";
        return Err(Error::new(Code::CONFLICT, msg).with_details(help));
    }
    if let Some(mtu) = wanted_mtu {
        // The kernel lowers a bridge's MTU to that of a new port.
        refuse_to_end_ipv6(rtnl, &link, mtu)?;
    }
    let ours = link.alias.as_deref() == Some(BRIDGE_ALIAS);
    // Without a word about it the kernel gives a bridge the least MTU of its ports: with more it
    // would lose, and not answer, what is too large for one of them.
    let raise_mtu = conf.mtu.filter(|&mtu| link.mtu < mtu);
    let change = LinkChange {
        up: (!link.up).then_some(true),
        promisc: (conf.promisc && !link.promisc).then_some(true),
        vlan_filtering: turn_filtering_on.then_some(true),
        mtu: raise_mtu,
        mac: if ours { None } else { Some(pinned_mac(&link)?) },
        ..LinkChange::default()
    };
    if change != LinkChange::default() {
        let wish = format!("adapt bridge {:?}", link.name);
        rtnl.change_link(link.index, &change)
            .or_code(Code::KERNEL, wish + with_filtering(turn_filtering_on))?;
    }
    // A pod must not become the host's router (CVE-2020-10749), whosever the bridge is. Best
    // effort, as on a host without IPv6 there is no such file.
    let _ = sysctl::ensure(&format!("net/ipv6/conf/{}/accept_ra", link.name), "0");
    let bridge_mtu = raise_mtu.unwrap_or(link.mtu);
    let mtu = if conf.mtu.is_some() || ours {
        wanted_mtu
    } else {
        wanted_mtu.map(|mtu| mtu.min(bridge_mtu))
    };
    let mac = change.mac.unwrap_or(link.mac);
    Ok(HostBridge {
        link: Link {
            mac,
            mtu: bridge_mtu,
            ..link
        },
        ours,
        default_pvid,
        mtu,
    })
}

/// The address that keeps a bridge of somebody else's from taking its ports' addresses in turn:
/// its own, or a new one where a bridge that lost its ports was left with zeros.
fn pinned_mac(link: &Link) -> Result<Mac, Error> {
    if link.mac.is_zero() {
        return Mac::random().or_code(Code::KERNEL, "choose a MAC address for the bridge");
    }
    Ok(link.mac)
}
