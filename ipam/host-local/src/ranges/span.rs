// SPDX-License-Identifier: Apache-2.0
//! Stretches of addresses without a gap.

use std::net::IpAddr;

/// All addresses from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The lowest address.
    pub first: IpAddr,
    /// The highest address, not below `first`.
    pub last: IpAddr,
}

impl Span {
    /// The stretch between two addresses, if there is anything in it.
    pub(super) fn between(first: Option<IpAddr>, last: Option<IpAddr>) -> Option<Self> {
        let (first, last) = (first?, last?);
        (first <= last).then_some(Self { first, last })
    }

    /// Whether the address lies in the stretch. (The order of [`IpAddr`] keeps the families apart.)
    pub fn contains(&self, address: IpAddr) -> bool {
        self.first <= address && address <= self.last
    }

    /// Number of addresses; one less than the truth for the whole of IPv6.
    pub fn size(&self) -> u128 {
        match (self.first, self.last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                u128::from(last.to_bits() - first.to_bits()) + 1
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                (last.to_bits() - first.to_bits()).saturating_add(1)
            }
            _ => 0,
        }
    }
}

/// The address after this one, if there is one in its family.
pub(crate) fn next(address: IpAddr) -> Option<IpAddr> {
    Some(match address {
        IpAddr::V4(v4) => IpAddr::V4(v4.to_bits().checked_add(1)?.into()),
        IpAddr::V6(v6) => IpAddr::V6(v6.to_bits().checked_add(1)?.into()),
    })
}

/// The address before this one, if there is one in its family.
pub(super) fn previous(address: IpAddr) -> Option<IpAddr> {
    Some(match address {
        IpAddr::V4(v4) => IpAddr::V4(v4.to_bits().checked_sub(1)?.into()),
        IpAddr::V6(v6) => IpAddr::V6(v6.to_bits().checked_sub(1)?.into()),
    })
}
