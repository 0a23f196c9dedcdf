// SPDX-License-Identifier: Apache-2.0
//! A link out of the message in which the kernel describes it.

use netlink_packet_route::link::{
    InfoBridge, InfoBridgePort, InfoData, InfoKind, InfoPortData, LinkAttribute, LinkFlags,
    LinkInfo, LinkMessage,
};

use super::{Kind, Link, Port, inet, vxlan};
use crate::Mac;

impl From<LinkMessage> for Link {
    fn from(message: LinkMessage) -> Self {
        let flags = message.header.flags;
        let mut link = Self {
            index: message.header.index,
            name: String::new(),
            mac: Mac::default(),
            mtu: 0,
            up: flags.contains(LinkFlags::Up),
            running: flags.contains(LinkFlags::Running),
            promisc: flags.contains(LinkFlags::Promisc),
            allmulti: flags.contains(LinkFlags::Allmulti),
            tx_queue_len: 0,
            loopback: flags.contains(LinkFlags::Loopback),
            master: None,
            peer: None,
            alias: None,
            kind: Kind::Physical,
            port: None,
            inet: None,
        };
        for attribute in message.attributes {
            link.read(attribute);
        }
        link
    }
}

impl Link {
    fn read(&mut self, attribute: LinkAttribute) {
        match attribute {
            LinkAttribute::IfName(name) => self.name = name,
            LinkAttribute::Address(bytes) => {
                self.mac = <[u8; 6]>::try_from(bytes).map(Mac::new).unwrap_or_default();
            }
            LinkAttribute::Mtu(mtu) => self.mtu = mtu,
            LinkAttribute::TxQueueLen(packets) => self.tx_queue_len = packets,
            LinkAttribute::Controller(master) => self.master = Some(master),
            LinkAttribute::Link(peer) => self.peer = Some(peer),
            LinkAttribute::IfAlias(alias) => self.alias = Some(alias),
            LinkAttribute::AfSpecUnspec(families) => self.inet = inet::read(&families),
            LinkAttribute::LinkInfo(infos) => {
                infos.into_iter().for_each(|info| self.read_info(info))
            }
            _ => {}
        }
    }

    fn read_info(&mut self, info: LinkInfo) {
        match info {
            LinkInfo::Kind(InfoKind::Bridge) => {
                self.kind = Kind::Bridge {
                    vlan_filtering: false,
                    default_pvid: 0,
                };
            }
            LinkInfo::Kind(InfoKind::Veth) => self.kind = Kind::Veth,
            LinkInfo::Kind(InfoKind::Ifb) => self.kind = Kind::Ifb,
            LinkInfo::Kind(InfoKind::Vxlan) => self.kind = Kind::Vxlan(vxlan::read(&[])),
            LinkInfo::Kind(kind) => self.kind = Kind::Other(kind.to_string()),
            LinkInfo::Data(InfoData::Bridge(settings)) => self.kind = bridge(&settings),
            LinkInfo::Data(InfoData::Vxlan(settings)) => {
                self.kind = Kind::Vxlan(vxlan::read(&settings));
            }
            LinkInfo::PortData(InfoPortData::BridgePort(settings)) => {
                self.port = Some(port(&settings));
            }
            _ => {}
        }
    }
}

fn bridge(settings: &[InfoBridge]) -> Kind {
    let (mut vlan_filtering, mut default_pvid) = (false, 0);
    for setting in settings {
        match setting {
            InfoBridge::VlanFiltering(on) => vlan_filtering = *on,
            InfoBridge::VlanDefaultPvid(vlan) => default_pvid = *vlan,
            _ => {}
        }
    }
    Kind::Bridge {
        vlan_filtering,
        default_pvid,
    }
}

fn port(settings: &[InfoBridgePort]) -> Port {
    let mut port = Port {
        hairpin: false,
        isolated: false,
    };
    for setting in settings {
        match setting {
            InfoBridgePort::HairpinMode(on) => port.hairpin = *on,
            InfoBridgePort::Isolated(on) => port.isolated = *on,
            _ => {}
        }
    }
    port
}
