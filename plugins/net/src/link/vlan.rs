// SPDX-License-Identifier: Apache-2.0
//! VLANs of a bridge port: `AF_BRIDGE` messages with an `IFLA_AF_SPEC` of
//! `IFLA_BRIDGE_VLAN_INFO`s (include/uapi/linux/if_bridge.h). A range goes as
//! two of them, marked as its begin and its end.

use std::ops::RangeInclusive;

use netlink_packet_core::Parseable;
use netlink_packet_route::link::{
    AfSpecBridge, BridgeVlanInfo, BridgeVlanInfoFlags as Flags, LinkAttribute, LinkExtentMask,
    LinkMessage,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::LinkBridgeVlan;

use crate::{Error, Rtnl};

/// A range of VLANs that a bridge port is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortVlan {
    /// The first VLAN, 1 to 4094.
    pub first: u16,
    /// The last VLAN; equal to the first for a single one.
    pub last: u16,
    /// Whether frames that come in untagged belong to it; a single VLAN only.
    pub pvid: bool,
    /// Whether its frames leave untagged.
    pub untagged: bool,
}

impl Rtnl {
    /// The VLANs of a bridge port. Equal to `bridge vlan show dev PORT`.
    ///
    /// The kernel has no filter for this and lists the ports of all bridges.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn port_vlans(&self, index: u32) -> Result<Vec<PortVlan>, Error> {
        let mut request = LinkMessage::default();
        request.header.interface_family = AddressFamily::Bridge;
        let mask = vec![LinkExtentMask::BrvlanCompressed];
        request.attributes.push(LinkAttribute::ExtMask(mask));
        let infos = self.dump(RouteNetlinkMessage::GetLink(request), |message| {
            let message = LinkMessage::parse(message).ok();
            message.and_then(|message| infos(message, index))
        });
        let infos = infos.map_err(|cause| {
            cause.during(format!("cannot list the VLANs of {}", self.describe(index)))
        })?;
        Ok(infos.into_iter().flat_map(ranges).collect())
    }

    /// Puts a bridge port into VLANs. Equal to `bridge vlan add dev PORT vid
    /// FIRST-LAST [pvid] [untagged]`.
    ///
    /// # Errors
    /// `EOPNOTSUPP` when the link is no bridge port, or the kernel has no VLAN
    /// filtering.
    pub fn add_port_vlan(&self, index: u32, vlan: &PortVlan) -> Result<(), Error> {
        self.change(RouteNetlinkMessage::SetLink(message(index, vlan)), 0)
            .map_err(|cause| {
                let vlans = text(&(vlan.first..=vlan.last));
                cause.during(format!("cannot put {} into {vlans}", self.describe(index)))
            })
    }

    /// Takes a bridge port out of VLANs. Equal to `bridge vlan del dev PORT vid
    /// FIRST-LAST`.
    ///
    /// # Errors
    /// When the kernel refuses. VLANs that the port is not in are no error.
    pub fn delete_port_vlan(&self, index: u32, range: RangeInclusive<u16>) -> Result<(), Error> {
        let vlan = PortVlan {
            first: *range.start(),
            last: *range.end(),
            pvid: false,
            untagged: false,
        };
        self.change(RouteNetlinkMessage::DelLink(message(index, &vlan)), 0)
            .map_err(|cause| {
                cause.during(format!(
                    "cannot take {} out of {}",
                    self.describe(index),
                    text(&range)
                ))
            })
    }
}

fn text(range: &RangeInclusive<u16>) -> String {
    match (range.start(), range.end()) {
        (first, last) if first == last => format!("VLAN {first}"),
        (first, last) => format!("the VLANs {first} to {last}"),
    }
}

fn message(index: u32, vlan: &PortVlan) -> LinkMessage {
    let mut flags = Flags::empty();
    flags.set(Flags::Pvid, vlan.pvid);
    flags.set(Flags::Untagged, vlan.untagged);
    let port = LinkBridgeVlan::new(index);
    if vlan.first == vlan.last {
        return port.vlan(vlan.first, flags).build();
    }
    port.vlan_range_start(vlan.first, flags)
        .vlan_range_end(vlan.last, flags)
        .build()
}

fn infos(message: LinkMessage, index: u32) -> Option<Vec<BridgeVlanInfo>> {
    if message.header.index != index {
        return None;
    }
    let specs = message
        .attributes
        .into_iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::AfSpecBridge(specs) => Some(specs),
            _ => None,
        })?;
    let infos = specs.into_iter().filter_map(|spec| match spec {
        AfSpecBridge::VlanInfo(info) => Some(info),
        _ => None,
    });
    Some(infos.collect())
}

/// Joins what the kernel reports as begin and end.
fn ranges(infos: Vec<BridgeVlanInfo>) -> Vec<PortVlan> {
    let mut ranges = Vec::new();
    let mut begin = None;
    for info in infos {
        if info.flags.contains(Flags::RangeBegin) {
            begin = Some(info.vid);
            continue;
        }
        ranges.push(PortVlan {
            first: begin.take().unwrap_or(info.vid),
            last: info.vid,
            pvid: info.flags.contains(Flags::Pvid),
            untagged: info.flags.contains(Flags::Untagged),
        });
    }
    ranges
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::{NetlinkMessage, NetlinkPayload};

    use super::*;

    const PORT: u32 = 4;

    /// A request as it is sent, without the sequence number and port of its
    /// header.
    fn bytes(request: RouteNetlinkMessage, flags: u16) -> Vec<u8> {
        let payload = NetlinkPayload::InnerMessage(request);
        let mut message = NetlinkMessage::new(Default::default(), payload);
        message.header.flags = flags;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        bytes
    }

    const REQUEST_ACK: u16 = 5;
    /// `struct ifinfomsg` of a port: AF_BRIDGE and the index.
    const IFINFO: [u8; 16] = [7, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    fn expected(kind: u8, attributes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(32 + attributes.len()).unwrap();
        let header = [length, 0, 0, 0, kind, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        [&header, &IFINFO, attributes].concat()
    }

    /// Recorded from iproute2 6.1: `bridge vlan add dev PORT vid 10 pvid untagged`.
    #[test]
    fn an_access_vlan_is_sent_as_iproute2_sends_it() {
        let vlan = PortVlan {
            first: 10,
            last: 10,
            pvid: true,
            untagged: true,
        };
        let sent = bytes(
            RouteNetlinkMessage::SetLink(message(PORT, &vlan)),
            REQUEST_ACK,
        );
        assert_eq!(sent, expected(19, &[12, 0, 26, 0, 8, 0, 2, 0, 6, 0, 10, 0]));
    }

    /// Recorded: `bridge vlan add dev PORT vid 100-200 [untagged]`, and `del`.
    #[test]
    fn a_range_is_sent_as_its_begin_and_its_end() {
        let range = |untagged| PortVlan {
            first: 100,
            last: 200,
            pvid: false,
            untagged,
        };
        let spec = |begin, end| {
            [
                20, 0, 26, 0, 8, 0, 2, 0, begin, 0, 100, 0, 8, 0, 2, 0, end, 0, 200, 0,
            ]
        };
        for (untagged, begin, end) in [(false, 8, 16), (true, 12, 20)] {
            let request = RouteNetlinkMessage::SetLink(message(PORT, &range(untagged)));
            assert_eq!(bytes(request, REQUEST_ACK), expected(19, &spec(begin, end)));
        }
        let request = RouteNetlinkMessage::DelLink(message(PORT, &range(false)));
        assert_eq!(bytes(request, REQUEST_ACK), expected(17, &spec(8, 16)));
    }

    #[test]
    fn what_the_kernel_reports_is_read_range_by_range() {
        let info = |vid, flags| AfSpecBridge::VlanInfo(BridgeVlanInfo { vid, flags });
        let mut answer = LinkMessage::default();
        answer.header.index = PORT;
        answer.attributes.push(LinkAttribute::AfSpecBridge(vec![
            info(1, Flags::Pvid | Flags::Untagged),
            info(100, Flags::RangeBegin),
            info(200, Flags::RangeEnd),
            info(300, Flags::empty()),
        ]));
        let plain = |first, last| PortVlan {
            first,
            last,
            pvid: false,
            untagged: false,
        };
        let access = PortVlan {
            pvid: true,
            untagged: true,
            ..plain(1, 1)
        };
        let read = infos(answer.clone(), PORT).map(ranges).unwrap();
        assert_eq!(read, [access, plain(100, 200), plain(300, 300)]);
        assert_eq!(infos(answer, PORT + 1), None);
    }
}
