// SPDX-License-Identifier: Apache-2.0
//! One pool: a part of a subnet, and its gateway.

use std::fmt;
use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::span::{next, previous};
use super::{Error, Span};

/// A part of a subnet whose addresses may be handed out, all but the gateway's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    subnet: IpNetwork,
    first: IpAddr,
    last: IpAddr,
    gateway: IpAddr,
}

impl Pool {
    /// A pool of `subnet` from `start` to `end`, both included. What is absent is derived: start
    /// and gateway are the first address after the network's, the end is the last one that is not
    /// an IPv4 broadcast address. A gateway may lie anywhere, as in the reference plugin.
    ///
    /// # Errors
    /// When the subnet is too small or has host bits, or start and end are not in it in this order.
    pub fn new(
        subnet: IpNetwork,
        start: Option<IpAddr>,
        end: Option<IpAddr>,
        gateway: Option<IpAddr>,
    ) -> Result<Self, Error> {
        check_subnet(subnet)?;
        let canonical = |address: Option<IpAddr>| address.map(|address| address.to_canonical());
        let second =
            next(subnet.network()).expect("a subnet that is not too small has a second address");
        let (start, end) = (canonical(start), canonical(end));
        let first = start.unwrap_or(second);
        let last = end.unwrap_or_else(|| last_of(subnet));
        if !subnet.contains(first) || start.is_some() && first > last {
            return Err(Error::Start {
                start: first,
                subnet,
            });
        }
        if !subnet.contains(last) || first > last {
            return Err(Error::End { end: last, subnet });
        }
        Ok(Self {
            subnet,
            first,
            last,
            gateway: canonical(gateway).unwrap_or(second),
        })
    }

    /// The gateway, which is never handed out.
    pub fn gateway(&self) -> IpAddr {
        self.gateway
    }

    /// An address of the pool with its subnet's prefix, as it stands in a result.
    pub fn with_prefix(&self, address: IpAddr) -> IpNetwork {
        IpNetwork::new(address, self.subnet.prefix()).unwrap_or_else(|_| IpNetwork::from(address))
    }

    pub(super) fn is_ipv4(&self) -> bool {
        self.subnet.is_ipv4()
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        self.first <= address && address <= self.last
    }

    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    pub(super) fn spans(&self) -> impl Iterator<Item = Span> + use<> {
        self.without_gateway(Some(self.first), Some(self.last))
    }

    pub(super) fn spans_after(&self, address: IpAddr) -> impl Iterator<Item = Span> + use<> {
        self.without_gateway(next(address), Some(self.last))
    }

    pub(super) fn spans_until(&self, address: IpAddr) -> impl Iterator<Item = Span> + use<> {
        self.without_gateway(Some(self.first), Some(address))
    }

    fn without_gateway(
        &self,
        first: Option<IpAddr>,
        last: Option<IpAddr>,
    ) -> impl Iterator<Item = Span> + use<> {
        let gateway = self.gateway;
        let whole = Span::between(first, last);
        let parts = match whole {
            Some(span) if span.contains(gateway) => [
                Span::between(Some(span.first), previous(gateway)),
                Span::between(next(gateway), Some(span.last)),
            ],
            whole => [whole, None],
        };
        parts.into_iter().flatten()
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

fn check_subnet(subnet: IpNetwork) -> Result<(), Error> {
    let bits = if subnet.is_ipv4() { 32 } else { 128 };
    if subnet.prefix() > bits - 2 {
        return Err(Error::TooSmall(subnet));
    }
    if subnet.ip().to_canonical() != subnet.ip() {
        return Err(Error::MappedSubnet(subnet));
    }
    if subnet.ip() != subnet.network() {
        return Err(Error::HostBits {
            prefix: subnet.prefix(),
            network: subnet.network(),
        });
    }
    Ok(())
}

/// The last address of a subnet that a host may have: IPv6 has no broadcast address.
fn last_of(subnet: IpNetwork) -> IpAddr {
    let all_ones = subnet.broadcast();
    match all_ones {
        IpAddr::V4(_) => previous(all_ones).unwrap_or(all_ones),
        IpAddr::V6(_) => all_ones,
    }
}
