// SPDX-License-Identifier: Apache-2.0
//! What the host's way out says about attachments that were told nothing.

use cni::{Code, Error, OrCode};
use net::Rtnl;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Destinations that no route but a default one leads to: TEST-NET-2 (RFC 5737), and the
/// documentation prefix (RFC 3849).
const BEYOND: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1)),
];

/// The MTU of the device that the host's default route leads to; `None` without such a route.
///
/// # Errors
/// [`Code::KERNEL`].
pub fn mtu_of_default_route(rtnl: &Rtnl) -> Result<Option<u32>, Error> {
    for destination in BEYOND {
        let route = rtnl
            .lookup(destination)
            .or_code(Code::KERNEL, "find the default route")?;
        let Some(index) = route.and_then(|route| route.oif) else {
            continue;
        };
        let link = rtnl
            .link_at(index)
            .or_code(Code::KERNEL, "look up the default route's device")?;
        if let Some(link) = link.filter(|link| !link.loopback) {
            return Ok(Some(link.mtu));
        }
    }
    Ok(None)
}
