// SPDX-License-Identifier: Apache-2.0
//! At which of its addresses this node takes encapsulated packets.

use std::net::IpAddr;

use net::Address;
use topology::Family;

/// What there is to choose from, in one family. What comes first here wins, as far as this host has
/// it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidates<'a> {
    /// What the operator says by the annotation `node-public-ip` or `node-public-ipv6`.
    pub(super) annotated: Option<IpAddr>,
    /// The index of the link that the operator names as underlay.
    pub(super) underlay: Option<u32>,
    /// The internal addresses of the Node object, which the kubelet knows of.
    pub(super) internal: &'a [IpAddr],
    /// The one that was chosen before: what peers know is not changed without need.
    pub(super) previous: Option<IpAddr>,
    /// The index of the link by which packets to anywhere leave.
    pub(super) outward: Option<u32>,
    /// The addresses of this host, each with its link's index.
    pub(super) held: &'a [(u32, Address)],
}

/// Why this node has no address for its peers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoAddress {
    #[error(
        "the {family} address {address}, which the annotation {key} gives this node, is on none of its links"
    )]
    NotHere {
        family: Family,
        address: IpAddr,
        key: String,
    },
    #[error(
        "this node has {family} pods, but no {family} address for its peers: none of the Node's internal addresses is on its links, and no default route says which link to take"
    )]
    None { family: Family },
}

impl Candidates<'_> {
    /// The address; `key` is the name of the annotation.
    pub(super) fn choose(&self, family: Family, key: &str) -> Result<IpAddr, NoAddress> {
        if let Some(address) = self.annotated {
            let key = key.to_owned();
            let not_here = NoAddress::NotHere {
                family,
                address,
                key,
            };
            return self.is_held(address).then_some(address).ok_or(not_here);
        }
        let named = self.underlay.and_then(|link| self.best_of(link, family));
        let mut known = self.internal.iter().copied().chain(self.previous);
        let known =
            || known.find(|address| Family::of(*address) == family && self.is_held(*address));
        let outward = || self.outward.and_then(|link| self.best_of(link, family));
        let chosen = named.or_else(known).or_else(outward);
        chosen.ok_or(NoAddress::None { family })
    }

    fn is_held(&self, address: IpAddr) -> bool {
        let mut held = self.held.iter();
        held.any(|(_, held)| held.network.ip() == address && !held.dad_failed)
    }

    /// A link's address that lasts the longest; among equals the first one, which is the oldest.
    fn best_of(&self, link: u32, family: Family) -> Option<IpAddr> {
        let of_link = self.held.iter().filter(|(index, address)| {
            let usable = !(address.link_local || address.tentative || address.dad_failed);
            *index == link && usable && Family::of_network(address.network) == family
        });
        let best = of_link.min_by_key(|(_, address)| (address.deprecated, address.secondary));
        best.map(|(_, address)| address.network.ip())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(link: u32, text: &str) -> (u32, Address) {
        let address = Address {
            network: text.parse().unwrap(),
            tentative: false,
            dad_failed: false,
            link_local: text.starts_with("fe80"),
            deprecated: false,
            secondary: false,
        };
        (link, address)
    }

    fn host() -> Vec<(u32, Address)> {
        let mut temporary = held(2, "2001:db8::77/64");
        temporary.1.secondary = true;
        let mut old = held(2, "2001:db8::66/64");
        old.1.deprecated = true;
        vec![
            held(1, "127.0.0.1/8"),
            held(2, "fe80::1/64"),
            temporary,
            old,
            held(2, "2001:db8::2/64"),
            held(2, "192.0.2.2/24"),
            held(3, "198.51.100.3/24"),
        ]
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn nothing(held: &[(u32, Address)]) -> Candidates<'_> {
        Candidates {
            annotated: None,
            underlay: None,
            internal: &[],
            previous: None,
            outward: None,
            held,
        }
    }

    #[test]
    fn each_is_taken_when_none_before_it_is_there() {
        let host = host();
        let internal = [ip("203.0.113.9"), ip("2001:db8::2"), ip("192.0.2.2")];
        let mut from = Candidates {
            annotated: Some(ip("127.0.0.1")),
            underlay: Some(3),
            internal: &internal,
            previous: Some(ip("198.51.100.3")),
            outward: Some(3),
            held: &host,
        };
        let mut expect = |change: fn(&mut Candidates<'_>), address: &str| {
            change(&mut from);
            assert_eq!(from.choose(Family::V4, "key"), Ok(ip(address)));
        };
        expect(|_| {}, "127.0.0.1");
        expect(|from| from.annotated = None, "198.51.100.3");
        expect(|from| from.underlay = None, "192.0.2.2");
        expect(|from| from.internal = &[], "198.51.100.3");
        expect(
            |from| (from.previous, from.outward) = (None, Some(2)),
            "192.0.2.2",
        );
    }

    #[test]
    fn what_lasts_is_taken_of_a_link() {
        let host = host();
        let from = Candidates {
            outward: Some(2),
            ..nothing(&host)
        };
        assert_eq!(from.choose(Family::V6, "key"), Ok(ip("2001:db8::2")));
    }

    #[test]
    fn a_node_without_an_address_is_told_why() {
        let host = host();
        let elsewhere = Candidates {
            annotated: Some(ip("203.0.113.9")),
            ..nothing(&host)
        };
        let error = elsewhere
            .choose(Family::V4, "p/node-public-ip")
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the IPv4 address 203.0.113.9, which the annotation p/node-public-ip gives this node, \
             is on none of its links"
        );
        let gone = Candidates {
            previous: Some(ip("203.0.113.9")),
            internal: &[ip("203.0.113.10")],
            outward: Some(3),
            ..nothing(&host)
        };
        let error = gone.choose(Family::V6, "key").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("this node has IPv6 pods, but no IPv6 address")
        );
    }
}
