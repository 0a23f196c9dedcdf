// SPDX-License-Identifier: Apache-2.0
//! Pools of addresses, and the order in which they are handed out. No I/O.

mod error;
mod pool;
mod span;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;

pub use error::Error;
pub use pool::Pool;
pub use span::Span;
pub(crate) use span::next;

/// Pools of one address family that serve one address of an attachment between them: an inner list
/// of `ipam.ranges`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeSet {
    pools: Vec<Pool>,
}

impl RangeSet {
    /// Joins pools into a set.
    ///
    /// # Errors
    /// When there is no pool, when their families differ, or when two of them share an address.
    pub fn new(pools: Vec<Pool>) -> Result<Self, Error> {
        let Some(first) = pools.first() else {
            return Err(Error::Empty);
        };
        if pools.iter().any(|pool| pool.is_ipv4() != first.is_ipv4()) {
            return Err(Error::MixedFamilies);
        }
        for (index, one) in pools.iter().enumerate() {
            if let Some(other) = pools[index + 1..].iter().find(|other| one.overlaps(other)) {
                return Err(Error::PoolsOverlap {
                    one: one.to_string(),
                    other: other.to_string(),
                });
            }
        }
        Ok(Self { pools })
    }

    /// Whether the set's addresses are IPv4.
    pub fn is_ipv4(&self) -> bool {
        self.pools[0].is_ipv4()
    }

    /// The pool that may hand out this address.
    pub fn pool_of(&self, address: IpAddr) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.contains(address))
    }

    /// Whether one of the pools may hand out this address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.pool_of(address).is_some()
    }

    /// Whether the sets have an address in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.pools
            .iter()
            .any(|one| other.pools.iter().any(|two| one.overlaps(two)))
    }

    /// What may be handed out, in the order in which to try it: from the address after `last`
    /// through all pools and round to `last` itself, so that an address rests for as long as
    /// possible before it is used again. From the start of the first pool when `last` is unknown or
    /// in no pool. Gateways are left out.
    pub fn spans(&self, last: Option<IpAddr>) -> Vec<Span> {
        let start = last.and_then(|last| {
            let pool = self.pools.iter().position(|pool| pool.contains(last))?;
            Some((pool, last))
        });
        let Some((at, last)) = start else {
            return self.pools.iter().flat_map(Pool::spans).collect();
        };
        let (behind, from_here) = self.pools.split_at(at);
        let here = &from_here[0];
        here.spans_after(last)
            .chain(from_here[1..].iter().flat_map(Pool::spans))
            .chain(behind.iter().flat_map(Pool::spans))
            .chain(here.spans_until(last))
            .collect()
    }
}

impl fmt::Display for RangeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, pool) in self.pools.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            pool.fmt(f)?;
        }
        Ok(())
    }
}

/// The sets of a configuration may not share an address, because each hands out one address of an
/// attachment.
///
/// # Errors
/// Names the first two sets that overlap by their positions.
pub fn check_disjoint(sets: &[RangeSet]) -> Result<(), Error> {
    for (one, set) in sets.iter().enumerate() {
        if let Some(distance) = sets[one + 1..].iter().position(|other| set.overlaps(other)) {
            return Err(Error::SetsOverlap {
                one,
                other: one + 1 + distance,
            });
        }
    }
    Ok(())
}
