// SPDX-License-Identifier: Apache-2.0
//! A pod: the network namespace that a runtime makes for it, by the name that it passes to plugins.

use std::fs::{self, File};
use std::net::IpAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use ipnetwork::IpNetwork;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::place::Place;

/// A named network namespace of a node. It is a [`Place`]: code and programs run in it, with the
/// node's files.
#[derive(Debug)]
pub struct Pod {
    place: Place,
    node: Place,
    name: String,
}

impl Pod {
    /// A namespace bound to `/run/netns/NAME` of the node; the same as `ip netns add NAME`.
    pub(crate) fn new(node: &Place, name: &str) -> Self {
        let path = path_of(name);
        let place = node.with_new_network(|| {
            File::create(&path).expect("/run/netns is writable");
            let own = Some("/proc/thread-self/ns/net");
            mount(own, &path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
                .expect("a namespace can be bound to a file");
        });
        Self {
            place,
            node: node.clone(),
            name: name.to_owned(),
        }
    }

    /// The pod's name, which is its container ID too.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What CNI_NETNS is for this pod.
    pub fn netns(&self) -> PathBuf {
        path_of(&self.name)
    }

    /// The addresses of one of the pod's interfaces without the link-local ones, IPv4 first.
    ///
    /// # Panics
    /// When there is no such interface.
    pub fn addresses(&self, interface: &str) -> Vec<IpNetwork> {
        addresses(&self.place, interface)
    }

    /// The first IPv4 address of one of the pod's interfaces.
    ///
    /// # Panics
    /// When there is none.
    pub fn ipv4(&self, interface: &str) -> IpAddr {
        let all = self.addresses(interface).into_iter();
        all.map(|network| network.ip())
            .find(IpAddr::is_ipv4)
            .expect("an IPv4 address is there")
    }

    /// The first IPv6 address of one of the pod's interfaces that is not link-local.
    ///
    /// # Panics
    /// When there is none.
    pub fn ipv6(&self, interface: &str) -> IpAddr {
        let all = self.addresses(interface).into_iter();
        all.map(|network| network.ip())
            .find(IpAddr::is_ipv6)
            .expect("an IPv6 address is there")
    }

    /// The names of the pod's interfaces but `lo`, sorted.
    pub fn interfaces(&self) -> Vec<String> {
        interfaces(&self.place)
    }

    /// Ends the namespace as a runtime does it, without a DEL before, and returns the path that
    /// leads nowhere now. The kernel takes the interfaces away a little later.
    pub fn vanish(self) -> PathBuf {
        self.netns()
    }

    /// Ends the namespace and leaves a plain file in its place, as a reboot without a fresh
    /// `/run` or an interrupted runtime does.
    pub fn become_plain_file(self) -> PathBuf {
        let (node, path) = (self.node.clone(), self.netns());
        drop(self);
        node.run(|| File::create(&path).expect("/run/netns is writable"));
        path
    }
}

impl Deref for Pod {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.place
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        let path = self.netns();
        self.node.run(|| {
            umount2(&path, MntFlags::MNT_DETACH).ok();
            fs::remove_file(&path).ok();
        });
    }
}

/// The names of all interfaces but `lo` in a place, sorted.
pub fn interfaces(place: &Place) -> Vec<String> {
    let table = place.run(|| fs::read_to_string("/proc/thread-self/net/dev"));
    let table = table.expect("/proc shows a network's interfaces");
    let names = table.lines().filter_map(|line| line.split_once(':'));
    let mut names: Vec<_> = names.map(|(name, _)| name.trim().to_owned()).collect();
    names.retain(|name| name != "lo");
    names.sort();
    names
}

fn path_of(name: &str) -> PathBuf {
    Path::new("/run/netns").join(name)
}

fn addresses(place: &Place, interface: &str) -> Vec<IpNetwork> {
    let table = place.ip(&format!("-o address show dev {interface}"));
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let rows = table
        .lines()
        .map(words)
        .filter(|row| !row.contains(&"link".to_owned()));
    let mut all: Vec<IpNetwork> = rows.filter_map(|row| row.get(3)?.parse().ok()).collect();
    all.sort_by_key(IpNetwork::is_ipv6);
    all
}
