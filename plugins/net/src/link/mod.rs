// SPDX-License-Identifier: Apache-2.0
//! Links: what there is. Making, changing and watching them is in the modules
//! below.

pub(crate) mod change;
pub(crate) mod counters;
pub(crate) mod create;
pub(crate) mod ifb;
pub(crate) mod inet;
mod list;
mod read;
pub(crate) mod vlan;
pub(crate) mod vxlan;

use std::time::Duration;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkExtentMask, LinkMessage};
use nix::errno::Errno;
use rtnetlink::MulticastGroup;

use self::inet::Inet;
use self::vxlan::Vxlan;
use crate::error::Cause;
use crate::{Error, Mac, Rtnl};

/// A link as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The interface index, unique within its namespace.
    pub index: u32,
    /// The name, at most 15 bytes.
    pub name: String,
    /// The Ethernet address; zero for `lo` and for links without one.
    pub mac: Mac,
    /// The largest packet in bytes, without the link's own header.
    pub mtu: u32,
    /// `IFF_UP`: somebody wants it up.
    pub up: bool,
    /// `IFF_RUNNING`: it is up and packets pass (RFC 2863 operational state up
    /// or unknown).
    pub running: bool,
    /// `IFF_PROMISC`: somebody asked for it. A bridge's ports are promiscuous
    /// without showing it.
    pub promisc: bool,
    /// `IFF_ALLMULTI`: somebody asked for all multicast frames.
    pub allmulti: bool,
    /// How many packets may wait to be sent.
    pub tx_queue_len: u32,
    /// `IFF_LOOPBACK`.
    pub loopback: bool,
    /// The index of the bridge, bond or VRF that it is a port of.
    pub master: Option<u32>,
    /// `IFLA_LINK`: the other end of a veth pair, by its index in *its*
    /// namespace; the lower link of a VLAN or VXLAN.
    pub peer: Option<u32>,
    /// The alias, a free text of at most 255 bytes.
    pub alias: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// How it behaves as a port of a bridge; `None` when it is none.
    pub port: Option<Port>,
    /// Its IPv4 settings; `None` when it takes no IPv4 packet, with an MTU of less than 68 bytes.
    pub inet: Option<Inet>,
}

/// What a link is (`IFLA_INFO_KIND`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A bridge.
    Bridge {
        /// Whether ports belong to VLANs.
        vlan_filtering: bool,
        /// The VLAN that a new port is in, untagged; 0 for none.
        default_pvid: u16,
    },
    /// One end of a veth pair.
    Veth,
    /// A VXLAN tunnel's end.
    Vxlan(Vxlan),
    /// An intermediate functional block.
    Ifb,
    /// Another kind of virtual link, by the kernel's name for it.
    Other(String),
    /// A device with a driver, or `lo`: nobody created it by name.
    Physical,
}

/// A bridge port's settings (`IFLA_BRPORT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// A frame may leave by the port that it came in by.
    pub hairpin: bool,
    /// Frames pass between this port and ports that are not isolated only.
    pub isolated: bool,
}

impl Rtnl {
    /// The link of this name. Equal to `ip link show NAME`.
    ///
    /// # Errors
    /// When the kernel refuses for any reason but that there is no such link.
    pub fn link(&self, name: &str) -> Result<Option<Link>, Error> {
        self.link_named(name)
            .map_err(|cause| cause.during(format!("cannot look up the link {name:?}")))
    }

    /// The link with this index.
    ///
    /// # Errors
    /// As for [`Rtnl::link`].
    pub fn link_at(&self, index: u32) -> Result<Option<Link>, Error> {
        let mut request = request();
        request.header.index = index;
        self.get_link(request)
            .map_err(|cause| cause.during(format!("cannot look up the link with index {index}")))
    }

    /// Waits until a link runs (it is up and has a carrier), but not longer than
    /// `limit`. Returns whether it does.
    ///
    /// # Errors
    /// [`Error::is_not_found`] when there is no such link, or no longer.
    pub fn wait_running(&self, index: u32, limit: Duration) -> Result<bool, Error> {
        self.watch(MulticastGroup::Link, limit, || {
            match self.link_at(index)? {
                Some(link) => Ok(link.running),
                None => {
                    let wish = format!("cannot wait for the link with index {index} to run");
                    Err(Cause::from(Errno::ENODEV).during(wish))
                }
            }
        })
    }

    fn link_named(&self, name: &str) -> Result<Option<Link>, Cause> {
        let mut request = request();
        request
            .attributes
            .push(LinkAttribute::IfName(name.to_owned()));
        self.get_link(request)
    }

    fn get_link(&self, request: LinkMessage) -> Result<Option<Link>, Cause> {
        match self.get(RouteNetlinkMessage::GetLink(request)) {
            Ok(messages) => match messages.into_iter().rev().find_map(link_in) {
                None => Err(Cause::Silent),
                link => Ok(link),
            },
            Err(cause) if cause.errno() == Some(Errno::ENODEV) => Ok(None),
            Err(cause) => Err(cause),
        }
    }

    /// A link's name for an error message, where only its index is at hand.
    pub(crate) fn describe(&self, index: u32) -> String {
        match self.link_at(index) {
            Ok(Some(link)) => format!("the link {:?}", link.name),
            _ => format!("the link with index {index}"),
        }
    }
}

/// A request for links, without the counters, which are most of an answer.
fn request() -> LinkMessage {
    let mut request = LinkMessage::default();
    request
        .attributes
        .push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    request
}

fn link_in(message: RouteNetlinkMessage) -> Option<Link> {
    match message {
        RouteNetlinkMessage::NewLink(message) => Some(message.into()),
        _ => None,
    }
}
