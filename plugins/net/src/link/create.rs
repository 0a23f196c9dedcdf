// SPDX-License-Identifier: Apache-2.0
//! Links are made complete: one request names everything that the kernel takes
//! from one, so nobody ever sees a bridge without its MAC address or a veth end
//! outside its bridge.

use std::os::fd::{AsFd, AsRawFd};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{InfoData, InfoKind, InfoVeth, LinkMessage};
use rtnetlink::{LinkBridge, LinkMessageBuilder, LinkUnspec, LinkVeth};

use super::link_in;
use crate::error::Cause;
use crate::{Error, Mac, Netns, Rtnl};

/// A bridge to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewBridge<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its MAC address. Set explicitly it stays, whatever ports come and go.
    pub mac: Mac,
    /// Its MTU in bytes; `None` for the kernel's 1500.
    pub mtu: Option<u32>,
    /// Whether its ports belong to VLANs.
    pub vlan_filtering: bool,
    /// Its alias.
    pub alias: Option<&'a str>,
}

/// A veth pair to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewVeth<'a> {
    /// The end in the namespace of the [`Rtnl`] that makes it.
    pub host: VethEnd<'a>,
    /// The other end.
    pub container: VethEnd<'a>,
    /// The MTU of both ends in bytes; `None` for the kernel's 1500.
    pub mtu: Option<u32>,
    /// Where the other end is made; `None` for the same namespace.
    pub container_ns: Option<&'a Netns>,
}

/// One end of a veth pair.
#[derive(Clone, Copy, Debug)]
pub struct VethEnd<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its MAC address.
    pub mac: Mac,
    /// Whether it is up from the start.
    pub up: bool,
    /// The index of the bridge that it is a port of, in its own namespace.
    pub master: Option<u32>,
    /// Its alias.
    pub alias: Option<&'a str>,
}

/// The interface indices of a new pair's ends, each in its own namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VethPair {
    /// Of the end in the namespace of the [`Rtnl`] that made it.
    pub host: u32,
    /// Of the other end.
    pub container: u32,
}

impl Rtnl {
    /// Makes a bridge that is up. Equal to `ip link add NAME address MAC up type
    /// bridge`.
    ///
    /// # Errors
    /// [`Error::is_exists`] when there is a link of that name.
    pub fn create_bridge(&self, new: &NewBridge<'_>) -> Result<(), Error> {
        let mut bridge = LinkBridge::new(new.name).address(new.mac.octets().to_vec());
        if let Some(mtu) = new.mtu {
            bridge = bridge.mtu(mtu);
        }
        if new.vlan_filtering {
            bridge = bridge.vlan_filtering(true);
        }
        let wish = || format!("cannot create the bridge {:?}", new.name);
        self.create(bridge.build())
            .map_err(|cause| cause.during(wish()))?;
        let Some(alias) = new.alias else {
            return Ok(());
        };
        self.adjust(LinkUnspec::new_with_name(new.name).alias(alias).build())
            .map_err(|cause| {
                self.discard(LinkUnspec::new_with_name(new.name));
                cause.during(wish())
            })
    }

    /// Makes a veth pair, the other end directly inside its namespace: moving
    /// it there afterwards costs a grace period of 20 ms. Equal to `ip link add
    /// HOST address MAC master BRIDGE up type veth peer name CONTAINER address
    /// MAC netns NS`.
    ///
    /// One request does it all, but for what the kernel ignores or refuses
    /// there: an alias, and `up` and `master` of the container's end. Where the
    /// wish has one of those a second request follows.
    ///
    /// # Errors
    /// [`Error::is_exists`] when either name is taken in its namespace. Nothing
    /// is left then.
    pub fn create_veth(&self, new: &NewVeth<'_>) -> Result<VethPair, Error> {
        let (host, container) = (new.host.name, new.container.name);
        let wish = || format!("cannot create the veth pair {host:?} and {container:?}");
        let pair = self
            .create_pair(new)
            .map_err(|cause| cause.during(wish()))?;
        self.complete_host(pair.host, &new.host)
            .map_err(|cause| cause.during(wish()))
            .and_then(|()| self.complete_container(pair.container, new))
            .inspect_err(|_| self.discard(LinkUnspec::new_with_index(pair.host)))?;
        Ok(pair)
    }

    pub(super) fn create(&self, message: LinkMessage) -> Result<(), Cause> {
        self.change(
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// What the kernel tells of the new link has the indices. Asking it instead
    /// would, right after a change of the carrier, take five times as long.
    fn create_pair(&self, new: &NewVeth<'_>) -> Result<VethPair, Cause> {
        let request = RouteNetlinkMessage::NewLink(veth(new));
        let heard = self.change_and_hear(request, NLM_F_CREATE | NLM_F_EXCL)?;
        let link = match heard.into_iter().find_map(link_in) {
            Some(link) => Some(link),
            // Kernels before 6.2 don't tell the one who asked.
            None => self.link_named(new.host.name)?,
        };
        match link.and_then(|link| Some((link.index, link.peer?))) {
            Some((host, container)) => Ok(VethPair { host, container }),
            None => {
                self.discard(LinkUnspec::new_with_name(new.host.name));
                Err(Cause::Silent)
            }
        }
    }

    fn complete_host(&self, index: u32, end: &VethEnd<'_>) -> Result<(), Cause> {
        let Some(alias) = end.alias else {
            return Ok(());
        };
        self.adjust(LinkUnspec::new_with_index(index).alias(alias).build())
    }

    fn complete_container(&self, index: u32, new: &NewVeth<'_>) -> Result<(), Error> {
        let end = &new.container;
        if !end.up && end.master.is_none() && end.alias.is_none() {
            return Ok(());
        }
        let mut link = LinkUnspec::new_with_index(index);
        if let Some(alias) = end.alias {
            link = link.alias(alias);
        }
        let message = place(link, end).build();
        let outcome = match new.container_ns {
            Some(netns) => Self::open_in(netns)?.adjust(message),
            None => self.adjust(message),
        };
        outcome.map_err(|cause| cause.during(format!("cannot set up the link {:?}", end.name)))
    }

    /// Takes back a link that could not be completed; the error that led here
    /// is the one to report.
    pub(super) fn discard(&self, link: LinkMessageBuilder<LinkUnspec>) {
        let _ = self.change(RouteNetlinkMessage::DelLink(link.build()), 0);
    }
}

fn veth(new: &NewVeth<'_>) -> LinkMessage {
    let mut peer = describe(
        LinkMessageBuilder::<LinkUnspec>::new(),
        &new.container,
        new.mtu,
    );
    if let Some(netns) = new.container_ns {
        peer = peer.setns_by_fd(netns.as_fd().as_raw_fd());
    }
    let host = LinkMessageBuilder::<LinkVeth>::new_with_info_kind(InfoKind::Veth)
        .set_info_data(InfoData::Veth(InfoVeth::Peer(peer.build())));
    place(describe(host, &new.host, new.mtu), &new.host).build()
}

fn describe<T>(
    link: LinkMessageBuilder<T>,
    end: &VethEnd<'_>,
    mtu: Option<u32>,
) -> LinkMessageBuilder<T> {
    let link = link.name(end.name).address(end.mac.octets().to_vec());
    match mtu {
        Some(mtu) => link.mtu(mtu),
        None => link,
    }
}

fn place<T>(mut link: LinkMessageBuilder<T>, end: &VethEnd<'_>) -> LinkMessageBuilder<T> {
    if let Some(master) = end.master {
        link = link.controller(master);
    }
    if end.up { link.up() } else { link }
}
