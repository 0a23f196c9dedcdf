// SPDX-License-Identifier: Apache-2.0
//! What the encapsulation leaves of the underlay's MTU. The kernel subtracts the same for a device
//! over IPv6 and says nothing when a larger MTU was asked for, so it has to be right beforehand.

use crate::Family;

/// UDP (8 bytes), VXLAN (8) and the inner Ethernet header (14): RFC 7348, section 5.
const UDP_VXLAN_ETHERNET: u32 = 8 + 8 + 14;

impl Family {
    /// The bytes by which a packet grows on this underlay: 50 over IPv4, 70 over IPv6.
    #[must_use]
    pub const fn overhead(self) -> u32 {
        let ip = match self {
            Self::V4 => 20,
            Self::V6 => 40,
        };
        ip + UDP_VXLAN_ETHERNET
    }

    /// The smallest MTU that a link of this family may have, in bytes: RFC 791, section 3.2, and
    /// RFC 8200, section 5 (Linux takes IPv6 off a link with less).
    #[must_use]
    pub const fn least_mtu(self) -> u32 {
        match self {
            Self::V4 => 68,
            Self::V6 => 1280,
        }
    }

    /// The MTU in bytes of a VXLAN device whose packets leave through a link with the MTU
    /// `underlay`.
    ///
    /// # Errors
    /// When what is left is less than [`Self::least_mtu`].
    pub const fn device_mtu(self, underlay: u32) -> Result<u32, MtuTooSmall> {
        match underlay.checked_sub(self.overhead()) {
            Some(mtu) if mtu >= self.least_mtu() => Ok(mtu),
            _ => Err(MtuTooSmall {
                family: self,
                underlay,
            }),
        }
    }
}

/// An underlay whose packets are too small to carry an overlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the underlay's MTU {underlay} is too small for an {family} overlay, which needs {}",
    family.least_mtu() + family.overhead()
)]
pub struct MtuTooSmall {
    /// The overlay's family.
    pub family: Family,
    /// The MTU of the underlay's link, in bytes.
    pub underlay: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_bytes_over_ipv4_and_seventy_over_ipv6() {
        assert_eq!(Family::V4.device_mtu(1500), Ok(1450));
        assert_eq!(Family::V6.device_mtu(1500), Ok(1430));
        assert_eq!(Family::V4.device_mtu(9000), Ok(8950));
        assert_eq!(Family::V4.device_mtu(118), Ok(68));
        assert_eq!(Family::V6.device_mtu(1350), Ok(1280));
    }

    #[test]
    fn an_underlay_too_small_is_named() {
        assert!(Family::V4.device_mtu(0).is_err());
        assert!(Family::V4.device_mtu(117).is_err());
        let error = Family::V6.device_mtu(1349).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the underlay's MTU 1349 is too small for an IPv6 overlay, which needs 1350"
        );
    }
}
