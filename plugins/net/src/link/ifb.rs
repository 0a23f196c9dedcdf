// SPDX-License-Identifier: Apache-2.0
//! Intermediate functional blocks: links that hand packets which were redirected to them back to
//! where those came in. In between, the packets are in the ifb's own queue, and so can be limited.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkInfo};
use rtnetlink::{LinkIfb, LinkUnspec};

use super::{Kind, Link, link_in};
use crate::error::Cause;
use crate::{Error, Mac, Rtnl};

/// An ifb to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewIfb<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its MAC address. Set explicitly it stays, where udev is told to give lasting ones.
    pub mac: Mac,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// Its alias.
    pub alias: &'a str,
}

impl Rtnl {
    /// Makes an ifb that is down, and returns its index. Equal to `ip link add NAME address MAC mtu
    /// MTU type ifb`.
    ///
    /// # Errors
    /// [`Error::is_exists`] when there is a link of that name.
    pub fn create_ifb(&self, new: &NewIfb<'_>) -> Result<u32, Error> {
        let wish = || format!("cannot create the ifb {:?}", new.name);
        let index = self.create_plain_ifb(new).map_err(|it| it.during(wish()))?;
        let alias = LinkUnspec::new_with_index(index).alias(new.alias).build();
        match self.adjust(alias) {
            Ok(()) => Ok(index),
            Err(cause) => {
                self.discard(LinkUnspec::new_with_index(index));
                Err(cause.during(wish()))
            }
        }
    }

    /// The ifbs of the namespace; the kernel leaves out other links. Equal to `ip link show type
    /// ifb`.
    ///
    /// # Errors
    /// When the kernel refuses, or the list changes as fast as it is read.
    pub fn ifbs(&self) -> Result<Vec<Link>, Error> {
        let kind = LinkInfo::Kind(InfoKind::Ifb);
        let links = self.list(LinkAttribute::LinkInfo(vec![kind]));
        let mut links = links.map_err(|cause| cause.during("cannot list the ifbs"))?;
        // A kernel that has no ifb yet does not know the filter's word.
        links.retain(|link| link.kind == Kind::Ifb);
        Ok(links)
    }

    fn create_plain_ifb(&self, new: &NewIfb<'_>) -> Result<u32, Cause> {
        let ifb = LinkIfb::new(new.name).mtu(new.mtu);
        let ifb = ifb.address(new.mac.octets().to_vec()).build();
        let request = RouteNetlinkMessage::NewLink(ifb);
        let heard = self.change_and_hear(request, NLM_F_CREATE | NLM_F_EXCL)?;
        let link = match heard.into_iter().find_map(link_in) {
            Some(link) => Some(link),
            // Kernels before 6.2 don't tell the one who asked.
            None => self.link_named(new.name)?,
        };
        link.map(|link| link.index).ok_or(Cause::Silent)
    }
}
