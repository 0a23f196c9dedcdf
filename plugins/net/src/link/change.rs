// SPDX-License-Identifier: Apache-2.0
//! Changing and deleting links. Every change goes as RTM_NEWLINK: the kernel
//! acknowledges settings of a bridge or a bridge port in an RTM_SETLINK and
//! ignores them.

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkMessage};
use rtnetlink::{LinkBridge, LinkBridgePort, LinkMessageBuilder, LinkUnspec};

use super::inet;
use crate::error::Cause;
use crate::{Error, Mac, Rtnl};

/// What is to change in a link; `None` leaves a thing as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkChange<'a> {
    /// Up or down. Equal to `ip link set DEV up`.
    pub up: Option<bool>,
    /// The MTU in bytes. Equal to `ip link set DEV mtu N`.
    pub mtu: Option<u32>,
    /// The MAC address, which stays from then on. Equal to `ip link set DEV
    /// address MAC`.
    pub mac: Option<Mac>,
    /// The index of the bridge, or of another controller, that it belongs to; 0 takes it out.
    /// Equal to `ip link set DEV master BRIDGE`, or `nomaster`.
    pub master: Option<u32>,
    /// Whether it takes frames for anybody. Equal to `ip link set DEV promisc on`.
    pub promisc: Option<bool>,
    /// Whether it takes all multicast frames. Equal to `ip link set DEV allmulticast on`.
    pub allmulti: Option<bool>,
    /// How many packets may wait to be sent. Equal to `ip link set DEV txqueuelen N`.
    pub tx_queue_len: Option<u32>,
    /// Of a bridge: whether its ports belong to VLANs. Equal to `ip link set DEV
    /// type bridge vlan_filtering 1`.
    pub vlan_filtering: Option<bool>,
    /// Whether IPv4 packets that come by it are sent on. Equal to `sysctl -w
    /// net.ipv4.conf.DEV.forwarding=1`.
    pub forwarding: Option<bool>,
    /// How the way back to an IPv4 packet's source is looked at. Equal to `sysctl -w
    /// net.ipv4.conf.DEV.rp_filter=N`.
    pub rp_filter: Option<u8>,
    /// The alias; empty takes it away. Equal to `ip link set DEV alias TEXT`.
    pub alias: Option<&'a str>,
}

/// What is to change in a bridge port; `None` leaves a thing as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortChange {
    /// Equal to `ip link set DEV type bridge_slave hairpin on`.
    pub hairpin: Option<bool>,
    /// Equal to `ip link set DEV type bridge_slave isolated on`.
    pub isolated: Option<bool>,
}

impl Rtnl {
    /// Changes a link, all in one request.
    ///
    /// # Errors
    /// When there is no such link, or the kernel refuses one of the changes;
    /// those that it had already carried out stay.
    pub fn change_link(&self, index: u32, change: &LinkChange<'_>) -> Result<(), Error> {
        let mut link = link(index, change);
        if let Some(on) = change.vlan_filtering {
            let bridge = LinkMessageBuilder::<LinkBridge>::new_with_info_kind(InfoKind::Bridge);
            link.attributes
                .extend(bridge.vlan_filtering(on).build().attributes);
        }
        self.adjust(link)
            .map_err(|cause| cause.during(format!("cannot change {}", self.describe(index))))
    }

    /// Changes a bridge port.
    ///
    /// # Errors
    /// `EOPNOTSUPP` when the link is not the port of a bridge.
    pub fn change_port(&self, index: u32, change: &PortChange) -> Result<(), Error> {
        let mut port = LinkBridgePort::new(index);
        if let Some(on) = change.hairpin {
            port = port.hairpin(on);
        }
        if let Some(on) = change.isolated {
            port = port.isolated(on);
        }
        self.adjust(port.build()).map_err(|cause| {
            cause.during(format!(
                "cannot change {} as a bridge port",
                self.describe(index)
            ))
        })
    }

    /// Deletes a link, and of a veth pair both ends. Equal to `ip link del DEV`.
    ///
    /// The kernel answers when the link has been freed, a grace period of some
    /// 15 ms after its name and addresses are gone.
    ///
    /// # Errors
    /// [`Error::is_not_found`] when there is no such link.
    pub fn delete_link(&self, index: u32) -> Result<(), Error> {
        let link = LinkUnspec::new_with_index(index).build();
        self.change(RouteNetlinkMessage::DelLink(link), 0)
            .map_err(|cause| cause.during(format!("cannot delete {}", self.describe(index))))
    }

    /// Changes an existing link, never making one.
    pub(crate) fn adjust(&self, message: LinkMessage) -> Result<(), Cause> {
        self.change(RouteNetlinkMessage::NewLink(message), 0)
    }
}

fn link(index: u32, change: &LinkChange<'_>) -> LinkMessage {
    let mut link = LinkUnspec::new_with_index(index);
    if let Some(up) = change.up {
        link = if up { link.up() } else { link.down() };
    }
    if let Some(mtu) = change.mtu {
        link = link.mtu(mtu);
    }
    if let Some(mac) = change.mac {
        link = link.address(mac.octets().to_vec());
    }
    if let Some(master) = change.master {
        link = link.controller(master);
    }
    if let Some(on) = change.promisc {
        link = link.promiscuous(on);
    }
    if let Some(alias) = change.alias {
        link = link.alias(alias);
    }
    let mut message = link.build();
    if let Some(on) = change.allmulti {
        message.header.flags.set(LinkFlags::Allmulti, on);
        message.header.change_mask |= LinkFlags::Allmulti;
    }
    let queue = change.tx_queue_len.map(LinkAttribute::TxQueueLen);
    message.attributes.extend(queue);
    message.attributes.extend(inet::attribute(change));
    message
}
