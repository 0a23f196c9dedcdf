// SPDX-License-Identifier: Apache-2.0
//! This node's own entry: its pod CIDRs are the Node's, its addresses are the host's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use dataplane::{Dataplane, Origin};
use kubernetes::OwnNode;
use kubernetes::annotations::Prefix;
use net::Rtnl;
use topology::{Family, Mac, Node, Settings, Underlay};

use super::NotYet;
use super::address::{Candidates, NoAddress};

/// Somewhere outside: the route to it tells the link by which packets to anywhere leave. Nothing
/// is sent there; the addresses are for documentation (RFC 5737, RFC 3849).
const ANYWHERE: (Ipv4Addr, Ipv6Addr) = (
    Ipv4Addr::new(203, 0, 113, 1),
    Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1),
);

/// This node's entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) node: Node,
    /// Why an address in it is only what it was before: a family that has none now costs neither
    /// the other one nor the peers that come.
    pub(super) outlived: Vec<NoAddress>,
}

/// This node, as far as the cluster does not say it.
#[derive(Debug)]
pub(crate) struct Host {
    /// The connection to the kernel.
    pub(crate) rtnl: Rtnl,
    /// The node's name.
    pub(crate) name: String,
    /// The operator's settings.
    pub(crate) settings: Settings,
    /// Whose device carries the overlay.
    pub(crate) origin: Origin,
    /// The keys of the taints that are to go once pods can use the overlay.
    pub(crate) taints: Vec<String>,
    /// Where the cluster's nodes are remembered.
    pub(crate) cache: PathBuf,
    /// The prefix of the annotations.
    pub(crate) prefix: Prefix,
}

impl Host {
    /// This node's entry. What it was before stays as far as it can.
    pub(super) fn entry(&self, own: &OwnNode, before: Option<&Node>) -> Result<Entry, NotYet> {
        let held = self.rtnl.all_addresses()?;
        let named = self.settings.underlay.as_ref();
        let named = named.map(|name| self.rtnl.link(name)).transpose()?;
        let named = named.flatten().map(|link| link.index);
        let (mut underlay, mut macs) = (Underlay::default(), [None; 2]);
        let mut outlived = Vec::new();
        for (family, mac) in Family::ALL.into_iter().zip(&mut macs) {
            let mut cidrs = own.pod_cidrs.iter();
            if !cidrs.any(|cidr| Family::of_network(*cidr) == family) {
                continue;
            }
            let before_that = before.and_then(|node| node.underlay.address(family));
            let candidates = Candidates {
                annotated: own.annotations.node_public_ip.address(family),
                underlay: named,
                internal: &own.internal_ips,
                previous: before_that
                    .or_else(|| own.annotations.announced.underlay.address(family)),
                outward: self.outward(family)?,
                held: &held,
            };
            let name = match family {
                Family::V4 => "node-public-ip",
                Family::V6 => "node-public-ipv6",
            };
            let chosen = candidates.choose(family, &self.prefix.key(name));
            let address = match (chosen, before_that) {
                (Err(why), Some(address)) => {
                    outlived.push(why);
                    address
                }
                (chosen, _) => chosen?,
            };
            match address {
                IpAddr::V4(address) => underlay.v4 = Some(address),
                IpAddr::V6(address) => underlay.v6 = Some(address),
            }
            *mac = Some(match before {
                Some(node) => node.mac(family),
                None => self.mac(own, family)?,
            });
        }
        let [mac, mac_v6] = macs;
        let node = Node {
            name: self.name.clone(),
            underlay,
            mac,
            mac_v6,
            pod_cidrs: own.pod_cidrs.clone(),
            since: 0,
        };
        Ok(Entry { node, outlived })
    }

    /// The MAC address by which peers know this node's VTEP, else the one that its device has,
    /// else the one that its name gives.
    fn mac(&self, own: &OwnNode, family: Family) -> Result<Mac, net::Error> {
        if let Some(annotated) = own.annotations.announced.mac(family) {
            return Ok(annotated);
        }
        let dataplane = Dataplane {
            rtnl: &self.rtnl,
            settings: &self.settings,
            origin: self.origin,
        };
        let device = self.rtnl.link(&dataplane.device_name(family))?;
        let held = device.map(|link| Mac(link.mac.octets()));
        Ok(held.unwrap_or_else(|| Mac::of_node(&self.name, family)))
    }

    /// The link by which packets to anywhere leave.
    fn outward(&self, family: Family) -> Result<Option<u32>, net::Error> {
        let anywhere = match family {
            Family::V4 => IpAddr::V4(ANYWHERE.0),
            Family::V6 => IpAddr::V6(ANYWHERE.1),
        };
        let route = self.rtnl.lookup(anywhere)?;
        Ok(route.and_then(|route| route.oif))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn host() -> Host {
        let mut command = Command::new("ip");
        let words = "address replace 192.0.2.9/32 dev lo".split(' ');
        assert!(command.args(words).status().unwrap().success());
        Host {
            rtnl: Rtnl::open().unwrap(),
            name: "own".to_owned(),
            settings: Settings::default(),
            origin: Origin::Own,
            cache: PathBuf::new(),
            taints: Vec::new(),
            prefix: Prefix::default(),
        }
    }

    fn own() -> OwnNode {
        OwnNode {
            pod_cidrs: vec!["10.200.1.0/24".parse().unwrap()],
            internal_ips: vec!["192.0.2.9".parse().unwrap()],
            ..OwnNode::default()
        }
    }

    #[test]
    fn an_entry_has_the_families_of_the_pod_cidrs() {
        let entry = host().entry(&own(), None).unwrap().node;
        assert_eq!(entry.underlay.v4, Some("192.0.2.9".parse().unwrap()));
        assert_eq!((entry.underlay.v6, entry.mac_v6), (None, None));
        assert_eq!(entry.mac, Some(Mac::of_node("own", Family::V4)));
        assert_eq!(
            (entry.name, entry.pod_cidrs),
            ("own".to_owned(), own().pod_cidrs)
        );
        let dual = OwnNode {
            pod_cidrs: vec![
                "10.200.1.0/24".parse().unwrap(),
                "fd00::/64".parse().unwrap(),
            ],
            ..own()
        };
        let error = host().entry(&dual, None).unwrap_err().to_string();
        assert!(error.contains("no IPv6 address"), "{error}");
    }

    #[test]
    fn what_peers_know_stays() {
        let known: Mac = "02:00:5e:00:53:01".parse().unwrap();
        let mut annotated = own();
        annotated.annotations.announced.mac = Some(known);
        let first = host().entry(&annotated, None).unwrap().node;
        assert_eq!(first.mac, Some(known));
        // Somebody else wrote there meanwhile, and the kubelet knows no address any more.
        annotated.annotations.announced.mac = Some("02:00:5e:00:53:02".parse().unwrap());
        annotated.internal_ips.clear();
        let second = host().entry(&annotated, Some(&first)).unwrap();
        assert_eq!((second.node, second.outlived), (first, Vec::new()));
    }

    #[test]
    fn the_operators_address_has_to_be_here() {
        let mut annotated = own();
        annotated.annotations.node_public_ip.v4 = Some("203.0.113.7".parse().unwrap());
        let error = host().entry(&annotated, None).unwrap_err().to_string();
        assert!(
            error.contains("annotation flannel.alpha.coreos.com/node-public-ip"),
            "{error}"
        );
        // Once there is an overlay, a typing error costs it nothing.
        let first = host().entry(&own(), None).unwrap().node;
        let second = host().entry(&annotated, Some(&first)).unwrap();
        assert_eq!(second.node, first);
        assert_eq!(second.outlived[0].to_string(), error);
    }

    #[test]
    fn a_family_that_loses_its_address_does_not_cost_the_other_one() {
        let mut dual = own();
        dual.pod_cidrs.push("fd00::/64".parse().unwrap());
        let mut before = host().entry(&own(), None).unwrap().node;
        before.underlay.v6 = Some("2001:db8::9".parse().unwrap());
        let entry = host().entry(&dual, Some(&before)).unwrap();
        assert_eq!(entry.node.underlay, before.underlay);
        let why = entry.outlived[0].to_string();
        assert!(why.contains("no IPv6 address"), "{why}");
    }
}
