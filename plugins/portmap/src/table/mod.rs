// SPDX-License-Identifier: Apache-2.0
//! The mappings in the kernel: made for an attachment as one transaction, told, taken away.

mod element;
mod ensure;
mod missing;
mod opened;
mod remove;
mod siblings;

use ipnetwork::IpNetwork;

use crate::localnet::LoopbackPort;
use crate::mapping::Mapping;
use crate::ruleset::OfNetwork;

pub(crate) use element::Held;
pub(crate) use ensure::{Refusal, ensure};
pub(crate) use missing::missing;
pub(crate) use remove::remove;
pub(crate) use siblings::without_siblings;

/// What an attachment wants of the table.
#[derive(Debug)]
pub(crate) struct Wish<'a> {
    /// What its network has.
    pub(crate) network: OfNetwork<'a>,
    /// The attachment.
    pub(crate) holder: &'a str,
    /// Its mappings, which do not overlap.
    pub(crate) mappings: &'a [Mapping],
    /// The container's addresses with the prefixes of their subnets.
    pub(crate) addresses: &'a [IpNetwork],
    /// The interfaces that are to let packets from 127.0.0.1 out.
    pub(crate) ports: &'a [LoopbackPort],
    /// The host's interface that leads to this container alone, where no bridge does.
    pub(crate) own_port: Option<&'a str>,
}

impl Wish<'_> {
    /// The addresses that mappings lead to.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &IpNetwork> {
        let leads_to = |address: &&IpNetwork| {
            let mut mappings = self.mappings.iter();
            mappings.any(|mapping| mapping.target.ip() == address.ip())
        };
        self.addresses.iter().filter(leads_to)
    }
}
