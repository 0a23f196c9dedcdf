// SPDX-License-Identifier: Apache-2.0
//! The interface `lo` of a sandbox.

use cni::{Code, Error, OrCode};
use ipnetwork::IpNetwork;
use net::{Link, LinkChange, Netns, Rtnl};
use std::path::Path;

/// The interface's name in every namespace, whatever CNI_IFNAME says.
pub(crate) const NAME: &str = "lo";

/// `lo` of one sandbox, and rtnetlink there.
pub(crate) struct Lo {
    rtnl: Rtnl,
    link: Link,
}

impl Lo {
    /// `lo` of the namespace at `path`.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        Self::within(&Netns::open(path).or_code(Code::INVALID_NETNS, wish(path))?)
    }

    /// `lo` of the namespace at `path`; `None` where there is none any more, or a mere file.
    pub(crate) fn open_if_there(path: &Path) -> Result<Option<Self>, Error> {
        match Netns::open(path) {
            Err(error) if error.is_gone() || error.is_not_namespace() => Ok(None),
            opened => Self::within(&opened.or_code(Code::INVALID_NETNS, wish(path))?).map(Some),
        }
    }

    fn within(netns: &Netns) -> Result<Self, Error> {
        let rtnl = Rtnl::open_in(netns).or_code(Code::KERNEL, "talk to the sandbox's kernel")?;
        let link = rtnl
            .link(NAME)
            .or_code(Code::KERNEL, "look up lo in the sandbox")?;
        let link = link.ok_or_else(|| Error::new(Code::KERNEL, "the sandbox has no lo"))?;
        Ok(Self { rtnl, link })
    }

    /// Whether it was up when it was looked up.
    pub(crate) fn was_up(&self) -> bool {
        self.link.up
    }

    /// `ip link set lo up`, or `down`.
    pub(crate) fn set_up(&self, up: bool) -> Result<(), Error> {
        let change = LinkChange {
            up: Some(up),
            ..LinkChange::default()
        };
        let direction = if up { "up" } else { "down" };
        self.rtnl.change_link(self.link.index, &change).or_code(
            Code::KERNEL,
            format_args!("set lo in the sandbox {direction}"),
        )
    }

    /// The addresses that it has now, IPv4 first.
    pub(crate) fn addresses(&self) -> Result<Vec<IpNetwork>, Error> {
        let found = self.rtnl.addresses(self.link.index);
        let found = found.or_code(Code::KERNEL, "read the addresses of lo in the sandbox")?;
        let mut addresses: Vec<IpNetwork> = found.into_iter().map(|a| a.network).collect();
        addresses.sort();
        Ok(addresses)
    }
}

fn wish(path: &Path) -> String {
    format!("failed to open netns {path:?}")
}
