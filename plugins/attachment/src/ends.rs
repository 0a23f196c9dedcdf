// SPDX-License-Identifier: Apache-2.0
//! The interfaces of an attachment, looked up in the kernel: what a chained plugin is told in
//! `prevResult` may be of another time.

use std::net::IpAddr;
use std::path::Path;

use cni::{Attachment, Code, Error, OrCode};
use net::{Kind, Link, Netns, Rtnl};

/// The interfaces of an attachment, and rtnetlink where each is.
#[derive(Debug)]
pub struct Ends<'a> {
    /// rtnetlink on the host.
    pub host: &'a Rtnl,
    /// rtnetlink in the sandbox.
    pub inside: Rtnl,
    /// The sandbox.
    pub netns: Netns,
    /// The interface CNI_IFNAME in the sandbox.
    pub container: Link,
    /// The host's end, when the interface is one of a veth pair.
    pub port: Option<Link>,
    /// The bridge that the host's end is a port of.
    pub bridge: Option<Link>,
}

impl<'a> Ends<'a> {
    /// Looks the interfaces up in the kernel.
    ///
    /// # Errors
    /// [`Code::INVALID_NETNS`] when there is no sandbox at `path`, [`Code::INVALID_CONFIG`] when it
    /// has no such interface, [`Code::KERNEL`].
    pub fn find(host: &'a Rtnl, path: &Path, attachment: &Attachment) -> Result<Self, Error> {
        let wish = format_args!("failed to open netns {path:?}");
        let netns = Netns::open(path).or_code(Code::INVALID_NETNS, wish)?;
        let found = Self::find_in(host, netns, attachment)?;
        found.ok_or_else(|| {
            let ifname = &attachment.ifname;
            let msg = format!("the sandbox has no interface {ifname:?}");
            Error::new(Code::INVALID_CONFIG, msg)
                .with_details("this plugin makes none: put it behind one that does, such as bridge")
        })
    }

    /// The same for what may be gone: `None` when there is no sandbox at `path`, or no such
    /// interface in it.
    ///
    /// # Errors
    /// [`Code::INVALID_NETNS`] when the sandbox can't be opened for another reason,
    /// [`Code::KERNEL`].
    pub fn find_if_there(
        host: &'a Rtnl,
        path: &Path,
        attachment: &Attachment,
    ) -> Result<Option<Self>, Error> {
        match Netns::open(path) {
            Err(error) if error.is_gone() || error.is_not_namespace() => Ok(None),
            opened => {
                let wish = format_args!("failed to open netns {path:?}");
                let netns = opened.or_code(Code::INVALID_NETNS, wish)?;
                Self::find_in(host, netns, attachment)
            }
        }
    }

    fn find_in(
        host: &'a Rtnl,
        netns: Netns,
        attachment: &Attachment,
    ) -> Result<Option<Self>, Error> {
        let ifname = &attachment.ifname;
        let wish = format!("look up {ifname:?} in the sandbox");
        let inside = Rtnl::open_in(&netns).or_code(Code::KERNEL, &wish)?;
        let Some(container) = inside.link(ifname).or_code(Code::KERNEL, &wish)? else {
            return Ok(None);
        };
        let mut ends = Self {
            host,
            inside,
            netns,
            container,
            port: None,
            bridge: None,
        };
        ends.port = ends.other_end()?;
        ends.bridge = ends.master()?;
        Ok(Some(ends))
    }

    /// Refuses a prevResult that tells of addresses that the container interface does not have.
    ///
    /// # Errors
    /// [`Code::INVALID_CONFIG`] with the first address that is missing, [`Code::KERNEL`].
    pub fn ensure_addresses(&self, told: impl IntoIterator<Item = IpAddr>) -> Result<(), Error> {
        let ifname = &self.container.name;
        let wish = format_args!("read the addresses of {ifname:?}").to_string();
        let held = self.inside.addresses(self.container.index);
        let held = held.or_code(Code::KERNEL, wish)?;
        let lacks = |told: &IpAddr| !held.iter().any(|held| held.network.ip() == *told);
        match told.into_iter().find(lacks) {
            None => Ok(()),
            Some(told) => Err(Error::new(
                Code::INVALID_CONFIG,
                format!("prevResult does not match the sandbox: {ifname:?} has no address {told}"),
            )),
        }
    }

    fn other_end(&self) -> Result<Option<Link>, Error> {
        let container = &self.container;
        let index = container.peer.filter(|_| container.kind == Kind::Veth);
        let wish = format_args!("look up the other end of {:?}", container.name);
        let link = index.map_or(Ok(None), |index| self.host.link_at(index));
        let is_pair = |end: &Link| end.kind == Kind::Veth && end.peer == Some(container.index);
        Ok(link.or_code(Code::KERNEL, wish)?.filter(is_pair))
    }

    /// The bridge that the host's end is a port of now.
    ///
    /// # Errors
    /// [`Code::KERNEL`].
    pub fn master(&self) -> Result<Option<Link>, Error> {
        let Some(port) = &self.port else {
            return Ok(None);
        };
        let wish = format_args!("look up the bridge of {:?}", port.name);
        let link = port
            .master
            .map_or(Ok(None), |index| self.host.link_at(index));
        let is_bridge = |link: &Link| matches!(link.kind, Kind::Bridge { .. });
        Ok(link.or_code(Code::KERNEL, wish)?.filter(is_bridge))
    }
}
