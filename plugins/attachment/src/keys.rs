// SPDX-License-Identifier: Apache-2.0
//! Keys that several plugins have, from what is typed to what it means.

use cni::{Cidr, Code, Error};
use ipnetwork::IpNetwork;

/// The kernel's limits of the MTU of a veth pair and of a bridge: ETH_MIN_MTU, ETH_MAX_MTU.
const MTU_RANGE: std::ops::RangeInclusive<i64> = 68..=65_535;

/// An IPv6 link's smallest MTU (RFC 8200, section 5).
pub(crate) const MTU_MIN_V6: u32 = 1280;

/// `mtu` in bytes; `None` for 0, which leaves it to the plugin.
///
/// # Errors
/// [`Code::INVALID_CONFIG`] for what no link can have.
pub fn mtu(mtu: i64) -> Result<Option<u32>, Error> {
    match u32::try_from(mtu) {
        Ok(0) => Ok(None),
        Ok(bytes) if MTU_RANGE.contains(&mtu) => Ok(Some(bytes)),
        _ => Err(Error::new(
            Code::INVALID_CONFIG,
            format!(
                "invalid mtu {mtu} (must be 0 for automatic, or between {} and {})",
                MTU_RANGE.start(),
                MTU_RANGE.end()
            ),
        )),
    }
}

/// Refuses an MTU with which an interface can't have its IPv6 addresses: the kernel takes IPv6 from a
/// link that can't carry the least packet of it.
///
/// # Errors
/// [`Code::INVALID_CONFIG`].
pub fn refuse_mtu_without_ipv6(mtu: u32, addresses: &[IpNetwork]) -> Result<(), Error> {
    match addresses.iter().find(|address| address.is_ipv6()) {
        Some(address) if mtu < MTU_MIN_V6 => Err(Error::new(
            Code::INVALID_CONFIG,
            format!("invalid mtu {mtu} (must be {MTU_MIN_V6} or more for the address {address})"),
        )),
        _ => Ok(()),
    }
}

/// `ipMasq`, `ipMasqBackend` and `nonMasqueradeCIDRs`: the destinations that masquerade spares
/// beside the network's own, `None` without masquerade.
///
/// # Errors
/// [`Code::INVALID_CONFIG`] for a backend that nobody knows.
pub fn masquerade(
    on: bool,
    backend: Option<&str>,
    spared: &[Cidr],
) -> Result<Option<Vec<IpNetwork>>, Error> {
    match backend {
        None | Some("" | "iptables" | "nftables") => {}
        Some(other) => {
            let msg = format!("unknown ipmasq backend {other:?}");
            return Err(Error::new(Code::INVALID_CONFIG, msg));
        }
    }
    Ok(on.then(|| spared.iter().map(|cidr| subnet(cidr.0)).collect()))
}

/// The subnet that `network` lies in: its address without the host bits.
pub fn subnet(network: IpNetwork) -> IpNetwork {
    IpNetwork::new(network.network(), network.prefix()).unwrap_or(network)
}
