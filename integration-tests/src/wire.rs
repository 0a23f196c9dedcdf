// SPDX-License-Identifier: Apache-2.0
//! Interfaces, addresses and routes of a place: what the laboratory builds its underlay of, and
//! what tests look at.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use net::{Link, LinkChange, Mac, Netns, NewBridge, NewVeth, Route, Rtnl, VethEnd};

use crate::place::Place;

impl Place {
    /// A connection to this place's network, for requests that the laboratory has no word for.
    pub fn rtnl(&self) -> Rtnl {
        self.run(Rtnl::open)
            .expect("an rtnetlink socket can be opened")
    }

    /// One of this place's interfaces.
    ///
    /// # Panics
    /// When there is no such interface.
    pub fn link(&self, interface: &str) -> Link {
        let link = self
            .rtnl()
            .link(interface)
            .unwrap_or_else(|error| panic!("{error}"));
        link.unwrap_or_else(|| panic!("there is no interface {interface}"))
    }

    /// The names of this place's interfaces but `lo`, sorted.
    pub fn interfaces(&self) -> Vec<String> {
        let table = self.run(|| std::fs::read_to_string("/proc/thread-self/net/dev"));
        let table = table.expect("/proc shows a network's interfaces");
        let names = table.lines().filter_map(|line| line.split_once(':'));
        let mut names: Vec<_> = names.map(|(name, _)| name.trim().to_owned()).collect();
        names.retain(|name| name != "lo");
        names.sort();
        names
    }

    /// The addresses of one of this place's interfaces but the link-local ones of the kernel,
    /// IPv4 first.
    ///
    /// # Panics
    /// When there is no such interface.
    pub fn addresses(&self, interface: &str) -> Vec<IpNetwork> {
        let all = self.rtnl().addresses(self.link(interface).index);
        let all = all.unwrap_or_else(|error| panic!("{error}")).into_iter();
        let mut all: Vec<_> = all
            .filter(|address| !address.link_local)
            .map(|address| address.network)
            .collect();
        all.sort_by_key(IpNetwork::is_ipv6);
        all
    }

    /// The first IPv4 address of an interface.
    ///
    /// # Panics
    /// When there is none.
    pub fn ipv4(&self, interface: &str) -> IpAddr {
        let mut all = self
            .addresses(interface)
            .into_iter()
            .map(|network| network.ip());
        all.find(IpAddr::is_ipv4)
            .unwrap_or_else(|| panic!("{interface} has no IPv4 address"))
    }

    /// The first IPv6 address of an interface that is not link-local.
    ///
    /// # Panics
    /// When there is none.
    pub fn ipv6(&self, interface: &str) -> IpAddr {
        let mut all = self
            .addresses(interface)
            .into_iter()
            .map(|network| network.ip());
        all.find(IpAddr::is_ipv6)
            .unwrap_or_else(|| panic!("{interface} has no IPv6 address"))
    }

    /// Sets an interface up; the same as `ip link set INTERFACE up`.
    pub fn set_up(&self, interface: &str) {
        let up = LinkChange {
            up: Some(true),
            ..LinkChange::default()
        };
        let done = self.rtnl().change_link(self.link(interface).index, &up);
        done.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Adds an address that is usable at once; the same as
    /// `ip address add ADDRESS dev INTERFACE nodad`.
    pub fn add_address(&self, interface: &str, address: IpNetwork) {
        let index = self.link(interface).index;
        let done = self.rtnl().add_address(index, address, true);
        done.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Adds a route; the same as `ip route add DESTINATION via GATEWAY`.
    pub fn add_route(&self, destination: IpNetwork, gateway: IpAddr) {
        let route = Route {
            gateway: Some(gateway),
            ..Route::to(destination)
        };
        self.rtnl()
            .add_route(&route)
            .unwrap_or_else(|error| panic!("{error}"));
    }

    /// Joins this place's new interface `name` and another place's new interface `peer_name` by a
    /// wire; both are up.
    pub fn connect(&self, name: &str, peer: &Self, peer_name: &str, mtu: u32) {
        self.wire((name, None), (peer, peer_name), mtu);
    }

    /// As [`Place::connect`]; `name` becomes a port of this place's bridge `bridge`.
    pub(crate) fn plug_in(&self, (bridge, name): (&str, &str), peer: (&Self, &str), mtu: u32) {
        self.wire((name, Some(self.link(bridge).index)), peer, mtu);
    }

    fn wire(
        &self,
        (name, master): (&str, Option<u32>),
        (peer, peer_name): (&Self, &str),
        mtu: u32,
    ) {
        let end = |name, master| {
            let mac = Mac::random().expect("the kernel has random numbers");
            VethEnd {
                name,
                mac,
                up: true,
                master,
                alias: None,
            }
        };
        let there = peer
            .run(Netns::current)
            .expect("/proc shows a thread's own namespaces");
        let wire = NewVeth {
            host: end(name, master),
            container: end(peer_name, None),
            mtu: Some(mtu),
            container_ns: Some(&there),
        };
        self.rtnl()
            .create_veth(&wire)
            .unwrap_or_else(|error| panic!("{error}"));
        peer.set_up(peer_name);
    }

    /// Makes a bridge that is up.
    pub(crate) fn add_bridge(&self, name: &str, mtu: u32) {
        let bridge = NewBridge {
            name,
            mac: Mac::random().expect("the kernel has random numbers"),
            mtu: Some(mtu),
            vlan_filtering: false,
            alias: None,
        };
        let made = self.rtnl().create_bridge(&bridge);
        made.unwrap_or_else(|error| panic!("{error}"));
    }
}
