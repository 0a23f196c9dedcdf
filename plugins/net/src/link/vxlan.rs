// SPDX-License-Identifier: Apache-2.0
//! VXLAN devices (RFC 7348; drivers/net/vxlan): made complete, read back, and
//! changed in place as far as the kernel allows it. In place matters: routes,
//! neighbours and forwarding entries of the device stay, and packets flow on.

use std::net::IpAddr;

use netlink_packet_route::link::{InfoKind, InfoVxlan, LinkAttribute, LinkInfo, LinkMessage};
use nix::errno::Errno;
use rtnetlink::{LinkMessageBuilder, LinkVxlan};

use super::{Kind, Link};
use crate::error::Cause;
use crate::{Error, LinkChange, Mac, Rtnl};

/// A VXLAN device to be made. It learns nothing: who its peers are, its
/// forwarding database says.
#[derive(Clone, Copy, Debug)]
pub struct NewVxlan<'a> {
    /// Its name.
    pub name: &'a str,
    /// The VXLAN network identifier, below 2^24.
    pub vni: u32,
    /// The UDP port that it listens on and sends to.
    pub port: u16,
    /// The underlay address that it sends from.
    pub local: IpAddr,
    /// The index of the link that it sends by; `None` leaves that to the routes.
    pub device: Option<u32>,
    /// Its MAC address. Set explicitly it stays.
    pub mac: Mac,
    /// Its MTU in bytes. The kernel lowers, without a word, what does not fit
    /// the device below; `None` for the largest that does.
    pub mtu: Option<u32>,
    /// Whether the outer UDP header has a checksum.
    pub udp_checksum: bool,
    /// Whether it is up from the start.
    pub up: bool,
}

/// The settings of a VXLAN device (`IFLA_VXLAN_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vxlan {
    /// The VXLAN network identifier; 0 when the device is `external`.
    pub vni: u32,
    /// The UDP port that it listens on and sends to.
    pub port: u16,
    /// The underlay address that it sends from.
    pub local: Option<IpAddr>,
    /// Where it sends what its forwarding database does not know: a multicast
    /// group, or one peer.
    pub group: Option<IpAddr>,
    /// The index of the link that it sends by.
    pub device: Option<u32>,
    /// Whether it learns peers from what they send.
    pub learning: bool,
    /// Whether the outer UDP header has a checksum, in the underlay's family.
    pub udp_checksum: bool,
    /// Whether it answers ARP and neighbour solicitations itself (`proxy`).
    pub proxy: bool,
    /// Whether it takes the way around the router by itself (`rsc`).
    pub route_short_circuit: bool,
    /// Whether it tells user space of unknown MAC addresses.
    pub l2_miss: bool,
    /// Whether it tells user space of unknown IP addresses.
    pub l3_miss: bool,
    /// Whether each packet brings its own tunnel (`collect_metadata`).
    pub external: bool,
    /// Whether it carries group policies (VXLAN-GBP).
    pub gbp: bool,
    /// Whether it carries any protocol, not just Ethernet (VXLAN-GPE).
    pub gpe: bool,
}

/// What is to change in a VXLAN device; `None` leaves a thing as it is. VNI and
/// port cannot change; MAC address and state are changed as of any link, by
/// [`Rtnl::change_link`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VxlanChange {
    /// The underlay address that it sends from, of the same family as before.
    pub local: Option<IpAddr>,
    /// The index of the link that it sends by.
    pub device: Option<u32>,
    /// Whether it learns peers from what they send.
    pub learning: Option<bool>,
    /// The MTU in bytes; the new device below must take it.
    pub mtu: Option<u32>,
}

impl Rtnl {
    /// Makes a VXLAN device. Equal to `ip link add NAME address MAC mtu N up
    /// type vxlan id VNI dstport PORT local ADDRESS dev DEVICE nolearning
    /// [no]udpcsum`.
    ///
    /// # Errors
    /// [`Error::is_exists`] when there is a link of that name, or a device with
    /// that VNI and port; `EADDRINUSE` when the port is taken. The error names
    /// the devices that have the port. Nothing is left then.
    pub fn create_vxlan(&self, new: &NewVxlan<'_>) -> Result<(), Error> {
        self.create(message(new)).map_err(|cause| {
            let rivals = match cause.errno() {
                Some(Errno::EEXIST | Errno::EADDRINUSE) => self.beside(new),
                _ => String::new(),
            };
            cause.during(format!(
                "cannot create the VXLAN device {:?}{rivals}",
                new.name
            ))
        })
    }

    /// Changes a VXLAN device in place. Equal to `ip link set DEV type vxlan
    /// local ADDRESS dev DEVICE [no]learning`, and then `ip link set DEV mtu N`:
    /// the kernel refuses the two in one request.
    ///
    /// # Errors
    /// When there is no such VXLAN device, or the kernel refuses one of the
    /// changes.
    pub fn change_vxlan(&self, index: u32, change: &VxlanChange) -> Result<(), Error> {
        let mut device = LinkMessageBuilder::<LinkVxlan>::new_with_info_kind(InfoKind::Vxlan);
        if let Some(local) = change.local {
            device = from(device, local);
        }
        if let Some(below) = change.device {
            device = device.dev(below);
        }
        if let Some(on) = change.learning {
            device = device.learning(on);
        }
        let mut message = device.build();
        message.header.index = index;
        self.adjust(message).map_err(|cause| {
            cause.during(format!(
                "cannot change {} as a VXLAN device",
                self.describe(index)
            ))
        })?;
        let mtu = LinkChange {
            mtu: change.mtu,
            ..LinkChange::default()
        };
        match change.mtu {
            Some(_) => self.change_link(index, &mtu),
            None => Ok(()),
        }
    }

    /// The VXLAN devices of the namespace; the kernel leaves out other links.
    /// Equal to `ip link show type vxlan`.
    ///
    /// # Errors
    /// When the kernel refuses, or the list changes as fast as it is read.
    pub fn vxlans(&self) -> Result<Vec<Link>, Error> {
        self.list_vxlans()
            .map_err(|cause| cause.during("cannot list the VXLAN devices"))
    }

    fn list_vxlans(&self) -> Result<Vec<Link>, Cause> {
        let kind = LinkInfo::Kind(InfoKind::Vxlan);
        let mut links = self.list(LinkAttribute::LinkInfo(vec![kind]))?;
        // A kernel that has no VXLAN yet does not know the filter's word.
        links.retain(|link| matches!(link.kind, Kind::Vxlan(_)));
        Ok(links)
    }

    /// Names the devices that have a new device's port, for an error message.
    fn beside(&self, new: &NewVxlan<'_>) -> String {
        let there = self.list_vxlans().unwrap_or_default();
        let rivals = there.iter().filter_map(|link| match &link.kind {
            Kind::Vxlan(vxlan) if vxlan.port == new.port => {
                Some(format!("{:?} (VNI {})", link.name, vxlan.vni))
            }
            _ => None,
        });
        let rivals: Vec<String> = rivals.collect();
        if rivals.is_empty() {
            return String::new();
        }
        format!(" with port {} beside {}", new.port, rivals.join(", "))
    }
}

fn message(new: &NewVxlan<'_>) -> LinkMessage {
    let mut device = LinkVxlan::new(new.name, new.vni)
        .port(new.port)
        .learning(false)
        .address(new.mac.octets().to_vec());
    device = from(device, new.local);
    device = match new.local {
        IpAddr::V4(_) => device.udp_csum(new.udp_checksum),
        IpAddr::V6(_) => device
            .udp_zero_csum6_tx(!new.udp_checksum)
            .udp_zero_csum6_rx(!new.udp_checksum),
    };
    if let Some(below) = new.device {
        device = device.dev(below);
    }
    if let Some(mtu) = new.mtu {
        device = device.mtu(mtu);
    }
    if new.up {
        device = device.up();
    }
    device.build()
}

fn from(device: LinkMessageBuilder<LinkVxlan>, local: IpAddr) -> LinkMessageBuilder<LinkVxlan> {
    match local {
        IpAddr::V4(v4) => device.local(v4),
        IpAddr::V6(v6) => device.local6(v6),
    }
}

/// The settings that a list of attributes stands for.
pub(super) fn read(attributes: &[InfoVxlan]) -> Vxlan {
    let mut vxlan = Vxlan {
        vni: 0,
        port: 0,
        local: None,
        group: None,
        device: None,
        learning: false,
        udp_checksum: false,
        proxy: false,
        route_short_circuit: false,
        l2_miss: false,
        l3_miss: false,
        external: false,
        gbp: false,
        gpe: false,
    };
    let (mut v4_checksum, mut v6_checksum) = (false, false);
    for attribute in attributes {
        match *attribute {
            InfoVxlan::UDPCsum(on) => v4_checksum = on,
            InfoVxlan::UDPZeroCsumTX(off) => v6_checksum = !off,
            _ => vxlan.read(attribute),
        }
    }
    let underlay = vxlan.local.or(vxlan.group);
    vxlan.udp_checksum = match underlay {
        Some(IpAddr::V6(_)) => v6_checksum,
        _ => v4_checksum,
    };
    vxlan
}

impl Vxlan {
    fn read(&mut self, attribute: &InfoVxlan) {
        match *attribute {
            InfoVxlan::Id(vni) => self.vni = vni,
            InfoVxlan::Port(port) => self.port = port,
            InfoVxlan::Local(v4) => self.local = Some(v4.into()),
            InfoVxlan::Local6(v6) => self.local = Some(v6.into()),
            InfoVxlan::Group(v4) => self.group = Some(v4.into()),
            InfoVxlan::Group6(v6) => self.group = Some(v6.into()),
            InfoVxlan::Link(index) => self.device = Some(index),
            InfoVxlan::Learning(on) => self.learning = on,
            InfoVxlan::Proxy(on) => self.proxy = on,
            InfoVxlan::Rsc(on) => self.route_short_circuit = on,
            InfoVxlan::L2Miss(on) => self.l2_miss = on,
            InfoVxlan::L3Miss(on) => self.l3_miss = on,
            InfoVxlan::CollectMetadata(on) => self.external = on,
            InfoVxlan::Gbp => self.gbp = true,
            InfoVxlan::Gpe => self.gpe = true,
            _ => {}
        }
    }
}
