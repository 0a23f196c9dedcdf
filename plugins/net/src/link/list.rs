// SPDX-License-Identifier: Apache-2.0
//! Lists of links, by what they have in common.

use netlink_packet_core::Parseable;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage};

use super::{Kind, Link, request};
use crate::error::Cause;
use crate::{Error, Rtnl};

impl Rtnl {
    /// The ports of a bridge; the kernel leaves out everything else. Equal to
    /// `ip link show master BRIDGE`.
    ///
    /// # Errors
    /// When the kernel refuses, or the list changes as fast as it is read.
    pub fn ports(&self, bridge_index: u32) -> Result<Vec<Link>, Error> {
        let mut ports = self
            .list(LinkAttribute::Controller(bridge_index))
            .map_err(|cause| {
                cause.during(format!(
                    "cannot list the ports of {}",
                    self.describe(bridge_index)
                ))
            })?;
        ports.retain(|port| port.master == Some(bridge_index));
        Ok(ports)
    }

    /// The veth ends of the namespace; the kernel leaves out other links. Equal to `ip link show
    /// type veth`.
    ///
    /// # Errors
    /// As for [`Rtnl::ports`].
    pub fn veths(&self) -> Result<Vec<Link>, Error> {
        let kind = LinkInfo::Kind(InfoKind::Veth);
        let listed = self.list(LinkAttribute::LinkInfo(vec![kind]));
        let mut links = listed.map_err(|cause| cause.during("cannot list the veth interfaces"))?;
        links.retain(|link| link.kind == Kind::Veth);
        Ok(links)
    }

    /// The links that a filter lets through; older kernels don't know each one.
    pub(super) fn list(&self, filter: LinkAttribute) -> Result<Vec<Link>, Cause> {
        let mut request = request();
        request.attributes.push(filter);
        self.dump(RouteNetlinkMessage::GetLink(request), |message| {
            LinkMessage::parse(message).ok().map(Link::from)
        })
    }
}
