// SPDX-License-Identifier: Apache-2.0
//! The metrics of routes to peers.
//!
//! The kernel finds the next hop of an IPv4 route again in a hash table whose key has the device
//! and the metric, but not the gateway: all routes to peers with one metric share one bucket, and
//! adding 20,000 of them takes 5 s. With a metric of its own for each it takes 0.1 s. Destinations
//! differ, so the metric decides nothing else. IPv6 has no such table.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

/// The metric that the kernel gives an IPv6 route which has none: `IP6_RT_PRIO_USER` in
/// net/ip6_route.h.
const IPV6: u32 = 1024;

/// The metric of the route to a pod CIDR: for IPv4 it follows from the network address alone, is
/// never 0, and differs between networks that do not overlap, as those of one overlay (0.0.0.0
/// alone shares one with another address; that would cost time, nothing else).
#[must_use]
pub fn metric(pod_cidr: IpNetwork) -> u32 {
    match pod_cidr.network() {
        IpAddr::V4(address) => scattered(address.to_bits()).max(1),
        IpAddr::V6(_) => IPV6,
    }
}

/// A permutation of the 32-bit numbers in which the low bits depend on all others: networks
/// differ in the middle ones, and kernels before 6.15 hash by little more than the low ones.
const fn scattered(number: u32) -> u32 {
    let number = (number ^ (number >> 16)).wrapping_mul(0x9e37_79b1);
    let number = (number ^ (number >> 15)).wrapping_mul(0x85eb_ca77);
    number ^ (number >> 16)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::Ipv4Addr;

    use super::*;

    /// 65,536 networks of this length, the first at 10.0.0.0.
    fn networks(prefix: u8) -> impl Iterator<Item = IpNetwork> {
        (0..1 << 16).map(move |index: u32| {
            let address = Ipv4Addr::from_bits((10 << 24) + (index << (32 - prefix)));
            IpNetwork::new(address.into(), prefix).unwrap()
        })
    }

    #[test]
    fn networks_apart_have_metrics_apart() {
        for prefix in [20, 22, 24, 26, 28, 32] {
            let metrics: HashSet<_> = networks(prefix).map(metric).collect();
            assert_eq!(metrics.len(), 1 << 16, "/{prefix}");
            assert!(!metrics.contains(&0));
        }
        assert_eq!(metric("0.0.0.0/8".parse().unwrap()), 1);
    }

    /// Routes made by one version are recognised by the next.
    #[test]
    fn a_network_keeps_its_metric_for_ever() {
        assert_eq!(metric("10.200.1.0/24".parse().unwrap()), 1_978_614_082);
        assert_eq!(metric("10.200.1.7/24".parse().unwrap()), 1_978_614_082);
        assert_eq!(metric("fd00:1::/64".parse().unwrap()), 1024);
    }

    /// The kernel's two ways from a metric to one of 65,536 buckets: before and since Linux 6.15
    /// (net/ipv4/fib_semantics.c; the rest of the key is the same for all peers).
    #[test]
    fn the_kernels_buckets_are_used_evenly() {
        let old = |val: u32| (val ^ (val >> 7) ^ (val >> 12)) & 0xffff;
        let new = |val: u32| val.wrapping_mul(0x61c8_8647) >> 16;
        let hashes: [fn(u32) -> u32; 2] = [old, new];
        let prefixes = [20, 24, 26, 28];
        for (hash, prefix) in hashes
            .into_iter()
            .flat_map(|hash| prefixes.map(|p| (hash, p)))
        {
            let mut buckets = vec![0_u32; 1 << 16];
            for network in networks(prefix) {
                buckets[hash(metric(network)) as usize] += 1;
            }
            let longest = buckets.iter().max().unwrap();
            assert!(*longest <= 12, "/{prefix}: {longest} routes in one bucket");
        }
    }
}
