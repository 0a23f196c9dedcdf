// SPDX-License-Identifier: Apache-2.0
//! The VXLAN device as it should be, held against the one that is there.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use net::{Address, Kind, Link, LinkChange, Mac, NewVxlan, Vxlan, VxlanChange, sysctl};
use topology::{Family, Overlay};

use crate::underlay::Underlay;
use crate::{Action, Dataplane, Error};

/// The loose mode of RFC 3704, by which any way back will do.
const RP_FILTER: u8 = 2;

/// The device of one family as it should be.
pub(crate) struct DeviceWish {
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) mtu: u32,
    family: Family,
    vni: u32,
    local: IpAddr,
    below: u32,
    mac: Mac,
    address: IpNetwork,
    network: Vec<IpNetwork>,
    takeover: bool,
}

/// What is there under the device's name.
pub(crate) enum Found {
    Nothing,
    /// A VXLAN device with settings that the kernel never changes.
    Unfit(Link),
    /// A VXLAN device that can be made right in place.
    Fit(Link, Vxlan),
}

/// A change that makes something of a device right, in place.
pub(crate) enum Repair {
    Tunnel(VxlanChange),
    Link(Action, LinkChange<'static>),
    Sysctl(String, &'static str),
    AddAddress(IpNetwork),
    DeleteAddress(IpNetwork),
}

impl Repair {
    pub(crate) fn action(&self) -> Action {
        match self {
            Self::Tunnel(_) => Action::ChangeTunnel,
            Self::Link(action, _) => *action,
            Self::Sysctl(..) => Action::SetSysctl,
            Self::AddAddress(_) => Action::AddAddress,
            Self::DeleteAddress(_) => Action::DeleteAddress,
        }
    }
}

impl DeviceWish {
    pub(crate) fn new(
        dataplane: &Dataplane<'_>,
        overlay: &Overlay,
        underlay: &Underlay,
    ) -> Result<Self, Error> {
        let (settings, own) = (dataplane.settings, overlay.own());
        Ok(Self {
            name: dataplane.device_name(overlay.family()),
            port: settings.port.get(),
            mtu: underlay.device_mtu(settings)?,
            family: overlay.family(),
            vni: settings.vni.get(),
            local: own.underlay,
            below: underlay.index,
            mac: Mac::new(own.mac.0),
            address: own.device_address(),
            network: overlay.network().to_vec(),
            takeover: dataplane.takes_over(),
        })
    }

    pub(crate) fn to_create(&self) -> NewVxlan<'_> {
        NewVxlan {
            name: &self.name,
            vni: self.vni,
            port: self.port,
            local: self.local,
            device: Some(self.below),
            mac: self.mac,
            mtu: Some(self.mtu),
            udp_checksum: self.udp_checksum(),
            up: true,
        }
    }

    /// Over IPv4 the inner packet's checksums are enough; over IPv6 receivers drop packets
    /// without one (RFC 8200, section 8.1).
    fn udp_checksum(&self) -> bool {
        self.family == Family::V6
    }

    pub(crate) fn classify(&self, link: Option<Link>) -> Result<Found, Error> {
        let Some(link) = link else {
            return Ok(Found::Nothing);
        };
        match link.kind {
            Kind::Vxlan(vxlan) if self.fits(&vxlan) => Ok(Found::Fit(link, vxlan)),
            Kind::Vxlan(_) => Ok(Found::Unfit(link)),
            _ => Err(Error::NameTaken {
                name: self.name.clone(),
            }),
        }
    }

    /// Whether all that the kernel never changes is right. A device of flannel's may have
    /// checksums and group policies, which its peers bear with.
    fn fits(&self, vxlan: &Vxlan) -> bool {
        let checksum = vxlan.udp_checksum == self.udp_checksum()
            || (self.takeover && self.family == Family::V4);
        let same_family = |local| Family::of(local) == self.family;
        checksum
            && (vxlan.vni, vxlan.port) == (self.vni, self.port)
            && vxlan.local.is_some_and(same_family)
            && vxlan.group.is_none()
            && (self.takeover || !vxlan.gbp)
            && ![
                vxlan.proxy,
                vxlan.route_short_circuit,
                vxlan.l2_miss,
                vxlan.l3_miss,
                vxlan.external,
                vxlan.gpe,
            ]
            .contains(&true)
    }

    /// What has to be changed in a device that fits. The MTU comes after the link below, which
    /// limits it; addresses come last, because IPv6 loses them while the device is down.
    pub(crate) fn repairs(&self, link: &Link, vxlan: &Vxlan, addresses: &[Address]) -> Vec<Repair> {
        let mut repairs = Vec::new();
        repairs.extend(self.tunnel(vxlan).map(Repair::Tunnel));
        repairs.extend(self.link(link));
        repairs.extend(self.inet(link));
        repairs.extend(self.sysctls());
        repairs.extend(self.addresses(addresses));
        repairs
    }

    fn tunnel(&self, is: &Vxlan) -> Option<VxlanChange> {
        let change = VxlanChange {
            local: (is.local != Some(self.local)).then_some(self.local),
            device: (is.device != Some(self.below)).then_some(self.below),
            learning: is.learning.then_some(false),
            mtu: None,
        };
        (change != VxlanChange::default()).then_some(change)
    }

    fn link(&self, is: &Link) -> impl Iterator<Item = Repair> {
        let none = LinkChange::default();
        // A port of a bridge takes no packet for this node.
        let master = is.master.map(|_| {
            let master = Some(0);
            (Action::Release, LinkChange { master, ..none })
        });
        let mac = (is.mac != self.mac).then(|| {
            let mac = Some(self.mac);
            (Action::SetMac, LinkChange { mac, ..none })
        });
        let mtu = (is.mtu != self.mtu).then(|| {
            let mtu = Some(self.mtu);
            (Action::SetMtu, LinkChange { mtu, ..none })
        });
        let up = (!is.up).then(|| {
            let up = Some(true);
            (Action::SetUp, LinkChange { up, ..none })
        });
        let changes = [master, mac, mtu, up].into_iter().flatten();
        changes.map(|(action, change)| Repair::Link(action, change))
    }

    /// With direct routing a packet may come through the tunnel whose answer goes without it, so
    /// the reverse path filter is loose: 2 in the device prevails, the kernel takes the larger of
    /// it and `all`. What comes by the device is for pods: IPv4 has a switch for that per device,
    /// for IPv6 the one for all counts.
    fn inet(&self, is: &Link) -> Option<Repair> {
        let is = is.inet.filter(|_| self.family == Family::V4)?;
        let change = LinkChange {
            rp_filter: (is.rp_filter != i32::from(RP_FILTER)).then_some(RP_FILTER),
            forwarding: (!is.forwarding).then_some(true),
            ..LinkChange::default()
        };
        (change != LinkChange::default()).then_some(Repair::Link(Action::SetSysctl, change))
    }

    /// Router advertisements of whoever sends them through the tunnel change nothing here. Where
    /// `/proc/sys` is read-only they are let be: a host that forwards takes none unless it is told
    /// to, and nobody but a peer could send one.
    fn sysctls(&self) -> impl Iterator<Item = Repair> {
        let of_device = |setting| format!("net/ipv6/conf/{}/{setting}", self.name);
        let enable = (self.family == Family::V6).then(|| (of_device("disable_ipv6"), true));
        let wishes = enable.into_iter().chain([(of_device("accept_ra"), false)]);
        let due = wishes.filter(|(path, insist)| match sysctl::read(path) {
            Ok(is) => is != "0" && (*insist || sysctl::is_writable(path)),
            // A kernel without IPv6 has nothing to be set there.
            Err(error) => !error.is_not_found(),
        });
        due.map(|(path, _)| Repair::Sysctl(path, "0"))
    }

    fn addresses(&self, is: &[Address]) -> impl Iterator<Item = Repair> {
        let missing = !is.iter().any(|address| address.network == self.address);
        let within = |address: &IpNetwork| self.network.iter().any(|it| it.contains(address.ip()));
        let networks = is.iter().map(|address| address.network);
        let others = networks.filter(|address| *address != self.address && within(address));
        let others: Vec<_> = others.map(Repair::DeleteAddress).collect();
        let add = missing.then_some(Repair::AddAddress(self.address));
        add.into_iter().chain(others)
    }
}
