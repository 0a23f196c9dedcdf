// SPDX-License-Identifier: Apache-2.0
//! A link's IPv4 settings by rtnetlink. They are the sysctls below `net/ipv4/conf`, but no file
//! has to be opened for them, and none has to be writable.

use netlink_packet_core::{DefaultNla, Emitable, NLA_F_NESTED};
use netlink_packet_route::link::{AfSpecInet, AfSpecUnspec, LinkAttribute};

use super::change::LinkChange;

/// `IFLA_INET_CONF` of linux/if_link.h.
const IFLA_INET_CONF: u16 = 1;
/// `IPV4_DEVCONF_FORWARDING` and `IPV4_DEVCONF_RP_FILTER` of linux/ip.h.
const FORWARDING: u16 = 1;
const RP_FILTER: u16 = 8;

/// A link's IPv4 settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inet {
    /// Whether packets that come by it are sent on: `net/ipv4/conf/DEV/forwarding`.
    pub forwarding: bool,
    /// How the way back to a packet's source is looked at: `net/ipv4/conf/DEV/rp_filter`.
    pub rp_filter: i32,
}

/// What an attribute tells of them.
pub(super) fn read(families: &[AfSpecUnspec]) -> Option<Inet> {
    let settings = families.iter().filter_map(|family| match family {
        AfSpecUnspec::Inet(settings) => Some(settings),
        _ => None,
    });
    settings.flatten().find_map(|setting| match setting {
        AfSpecInet::DevConf(conf) => Some(Inet {
            forwarding: conf.forwarding != 0,
            rp_filter: conf.rp_filter,
        }),
        _ => None,
    })
}

/// The attribute that changes some of them, if any is to change.
pub(super) fn attribute(change: &LinkChange<'_>) -> Option<LinkAttribute> {
    let forwarding = change.forwarding.map(|on| (FORWARDING, u32::from(on)));
    let rp_filter = change.rp_filter.map(|mode| (RP_FILTER, u32::from(mode)));
    let changes: Vec<_> = forwarding.into_iter().chain(rp_filter).collect();
    if changes.is_empty() {
        return None;
    }
    let settings = changes.into_iter().flat_map(|(kind, value)| {
        let setting = DefaultNla::new(kind, value.to_ne_bytes().to_vec());
        let mut octets = vec![0; setting.buffer_len()];
        setting.emit(&mut octets);
        octets
    });
    let settings = DefaultNla::new(IFLA_INET_CONF | NLA_F_NESTED, settings.collect());
    let family = AfSpecUnspec::Inet(vec![AfSpecInet::Other(settings)]);
    Some(LinkAttribute::AfSpecUnspec(vec![family]))
}
