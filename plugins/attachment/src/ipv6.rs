// SPDX-License-Identifier: Apache-2.0
//! What IPv6 asks of a link that is there.

use cni::{Code, Error, OrCode};
use net::{Link, Rtnl};

use crate::keys::{MTU_MIN_V6, refuse_mtu_without_ipv6};

/// Refuses an MTU by which a link would lose the IPv6 addresses that it has: those of a bridge are the
/// gateways of all of its pods.
///
/// # Errors
/// [`Code::INVALID_CONFIG`], [`Code::KERNEL`].
pub fn refuse_to_end_ipv6(rtnl: &Rtnl, link: &Link, mtu: u32) -> Result<(), Error> {
    if mtu >= MTU_MIN_V6 {
        return Ok(());
    }
    let wish = format_args!("read the addresses of {:?}", link.name);
    let present = rtnl.addresses(link.index).or_code(Code::KERNEL, wish)?;
    let given = present.iter().filter(|address| !address.link_local);
    let given: Vec<_> = given.map(|address| address.network).collect();
    refuse_mtu_without_ipv6(mtu, &given)
}
