// SPDX-License-Identifier: Apache-2.0
//! What can be wrong with a range; the sentences are the reference plugin's, which people search
//! for.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

/// Why pools or sets can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A prefix so long that nothing is left beside network, broadcast and gateway.
    #[error("Network {0} too small to allocate from")]
    TooSmall(IpNetwork),
    /// An IPv4 address written as IPv6 (`::ffff:10.0.0.0/104`).
    #[error("IPNet IP and Mask version mismatch: {0} is an IPv4 network written as IPv6")]
    MappedSubnet(IpNetwork),
    /// The subnet is not a network address.
    #[error(
        "Network has host bits set. For a subnet mask of length {prefix} the network address is {network}"
    )]
    HostBits {
        /// Length of the prefix, in bits.
        prefix: u8,
        /// What the subnet's address would have to be.
        network: IpAddr,
    },
    /// `rangeStart` outside the subnet or behind `rangeEnd`.
    #[error("RangeStart {start} not in network {subnet}")]
    Start {
        /// The first address as configured.
        start: IpAddr,
        /// The pool's subnet.
        subnet: IpNetwork,
    },
    /// `rangeEnd` outside the subnet or before the range's start.
    #[error("RangeEnd {end} not in network {subnet}")]
    End {
        /// The last address as configured.
        end: IpAddr,
        /// The pool's subnet.
        subnet: IpNetwork,
    },
    /// A set without pools.
    #[error("empty range set")]
    Empty,
    /// A set with IPv4 and IPv6 pools.
    #[error("mixed address families")]
    MixedFamilies,
    /// Two pools of one set share an address.
    #[error("subnets {one} and {other} overlap")]
    PoolsOverlap {
        /// The earlier pool, first and last address.
        one: String,
        /// The later pool, first and last address.
        other: String,
    },
    /// Two sets share an address.
    #[error("range set {one} overlaps with {other}")]
    SetsOverlap {
        /// Position of the earlier set.
        one: usize,
        /// Position of the later set.
        other: usize,
    },
}
