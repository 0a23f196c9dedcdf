// SPDX-License-Identifier: Apache-2.0
//! What this crate makes, seen in the real kernel. Each test has a network
//! namespace of its own, so they run side by side.
#![cfg(test)]

mod addresses;
mod batches;
mod bridges;
mod links;
mod lists;
mod lookups;
mod monitors;
mod namespaces;
mod peers;
mod routes;
mod traffic;
mod tunnels;
mod veths;
mod vxlans;
mod waiting;

use std::net::IpAddr;
use std::thread;

use ipnetwork::IpNetwork;
use net::{Link, LinkChange, Mac, Netns, NewBridge, NewVeth, Rtnl, VethEnd};
use nix::sched::{CloneFlags, unshare};

/// Runs a test on a thread that lives in a new network namespace.
fn in_namespace<T: Send>(test: impl FnOnce(&Rtnl) -> T + Send) -> T {
    let run = || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        test(&Rtnl::open().unwrap())
    };
    thread::scope(|scope| match scope.spawn(run).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// Another new namespace, held open.
fn sandbox() -> Netns {
    in_namespace(|_| Netns::current().unwrap())
}

fn mac(last: u8) -> Mac {
    Mac::new([0x02, 0, 0, 0, 0, last])
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn network(text: &str) -> IpNetwork {
    text.parse().unwrap()
}

fn bridge<'a>(name: &'a str) -> NewBridge<'a> {
    NewBridge {
        name,
        mac: mac(1),
        mtu: None,
        vlan_filtering: false,
        alias: None,
    }
}

fn end<'a>(name: &'a str, last: u8) -> VethEnd<'a> {
    VethEnd {
        name,
        mac: mac(last),
        up: false,
        master: None,
        alias: None,
    }
}

fn pair<'a>(host: &'a str, container: &'a str) -> NewVeth<'a> {
    NewVeth {
        host: end(host, 2),
        container: end(container, 3),
        mtu: None,
        container_ns: None,
    }
}

/// The link of this name, which must be there.
fn find(rtnl: &Rtnl, name: &str) -> Link {
    rtnl.link(name)
        .unwrap()
        .unwrap_or_else(|| panic!("no link {name}"))
}

/// A link that is up and runs, and its peer.
fn running_pair(rtnl: &Rtnl) -> (Link, Link) {
    rtnl.create_veth(&pair("left", "right")).unwrap();
    for name in ["left", "right"] {
        set_up(rtnl, name);
    }
    (find(rtnl, "left"), find(rtnl, "right"))
}

fn set_up(rtnl: &Rtnl, name: &str) {
    let up = LinkChange {
        up: Some(true),
        ..LinkChange::default()
    };
    rtnl.change_link(find(rtnl, name).index, &up).unwrap();
}
