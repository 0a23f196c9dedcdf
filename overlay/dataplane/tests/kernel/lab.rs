// SPDX-License-Identifier: Apache-2.0
//! Nodes and the wire between them.

use std::process::Command;
use std::thread;
use std::time::Duration;

use dataplane::{Dataplane, Origin, Report};
use ipnetwork::IpNetwork;
use net::{Event, Events, Link, Mac, Monitor, Netns, NewBridge, NewVeth, Rtnl, VethEnd};
use nix::sched::{CloneFlags, unshare};
use topology::{Cluster, Node, Settings};

pub(crate) use crate::crossing::{assert_cross, pod, send};

/// Nodes with one underlay subnet per family, 192.0.2.0/24 and 2001:db8::/64.
pub(crate) struct Lab {
    pub(crate) nodes: Vec<Host>,
    wire: Rtnl,
}

/// A node: a namespace with the uplink `eth0`, and on `lo` the address of one pod per family.
pub(crate) struct Host {
    pub(crate) rtnl: Rtnl,
    pub(crate) netns: Netns,
    name: String,
}

/// A new namespace, held open.
fn namespace() -> Netns {
    let make = || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        Netns::current().unwrap()
    };
    thread::spawn(make).join().unwrap()
}

/// The entry of the node with this number in the list of nodes.
pub(crate) fn entry(number: u32, families: &str) -> Node {
    let v4 = families.contains('4');
    let v6 = families.contains('6');
    let (high, low) = (number >> 8, number & 0xff);
    let (mut underlay, mut pods) = (Vec::new(), Vec::new());
    if v4 {
        let outside = if number < 255 { "192.0.2" } else { "198.51" };
        let last = if number < 255 {
            number.to_string()
        } else {
            format!("{high}.{low}")
        };
        underlay.push(format!("{outside}.{last}"));
        pods.push(format!("10.{}.{low}.0/24", 100 + high));
    }
    if v6 {
        underlay.push(format!("2001:db8::{number:x}"));
        pods.push(format!("fd00:0:0:{number:x}::/64"));
    }
    let json = serde_json::json!({
        "name": format!("node{number}"), "underlay": underlay, "podCIDRs": pods,
    });
    serde_json::from_value(json).unwrap()
}

pub(crate) fn entries(count: u32, families: &str) -> Vec<Node> {
    (1..=count).map(|number| entry(number, families)).collect()
}

/// The settings of all tests, with these keys besides.
pub(crate) fn settings(more: &str) -> Settings {
    let json = format!(r#"{{"network": ["10.0.0.0/8", "fd00::/32"]{more}}}"#);
    serde_json::from_str(&json).unwrap()
}

impl Lab {
    pub(crate) fn new(count: u8) -> Self {
        let wire = namespace();
        let rtnl = Rtnl::open_in(&wire).unwrap();
        let bridge = NewBridge {
            name: "wire",
            mac: Mac::new([2, 0, 0, 0, 0, 0xff]),
            mtu: None,
            vlan_filtering: false,
            alias: None,
        };
        rtnl.create_bridge(&bridge).unwrap();
        let lab = Self {
            nodes: (1..=count).map(Host::new).collect(),
            wire: rtnl,
        };
        (1..=count).for_each(|number| lab.plug_in(number));
        lab
    }

    /// Gives the node with this number its uplink and its underlay addresses.
    pub(crate) fn plug_in(&self, number: u8) {
        let host = &self.nodes[usize::from(number) - 1];
        let end = |name, mac, master| VethEnd {
            name,
            mac: Mac::new(mac),
            up: true,
            master,
            alias: None,
        };
        let bridge = self.wire.link("wire").unwrap().unwrap().index;
        let port = format!("port{number}");
        let pair = NewVeth {
            host: end(&port, [2, 0, 0, 0, 1, number], Some(bridge)),
            container: end("eth0", [2, 0, 0, 0, 2, number], None),
            mtu: None,
            container_ns: Some(&host.netns),
        };
        self.wire.create_veth(&pair).unwrap();
        host.ip(&format!("addr add 192.0.2.{number}/24 dev eth0"));
        host.ip(&format!("addr add 2001:db8::{number:x}/64 dev eth0 nodad"));
        host.wait_for(&format!("2001:db8::{number:x}"));
        // Nothing is sent without a carrier, and no neighbour asked for before the link-local
        // address, which comes with it, can be used.
        let limit = Duration::from_secs(30);
        for (rtnl, name) in [(&self.wire, port.as_str()), (&host.rtnl, "eth0")] {
            let index = rtnl.link(name).unwrap().unwrap().index;
            assert!(rtnl.wait_running(index, limit).unwrap(), "{name}");
        }
        host.settle(&["eth0"]);
    }

    /// Every node of a list programs it.
    pub(crate) fn program(&self, nodes: &[Node], settings: &Settings) {
        let listed = |host: &&Host| nodes.iter().any(|node| node.name == host.name);
        for host in self.nodes.iter().filter(listed) {
            let report = host.reconcile(nodes, settings);
            assert!(report.errors.is_empty(), "{:?}", report.errors);
        }
    }
}

impl Host {
    fn new(number: u8) -> Self {
        let netns = namespace();
        // The kernel answers at once for addresses that nobody else can have.
        let accept_dad = "net/ipv6/conf/default/accept_dad";
        let set = netns.run(|| net::sysctl::ensure(accept_dad, "0"));
        set.unwrap().unwrap();
        let host = Self {
            rtnl: Rtnl::open_in(&netns).unwrap(),
            netns,
            name: format!("node{number}"),
        };
        host.ip("link set lo up");
        host.ip(&format!("addr add 10.100.{number}.9/32 dev lo"));
        host.ip(&format!("addr add fd00:0:0:{number:x}::9/128 dev lo nodad"));
        host.wait_for(&format!("fd00:0:0:{number:x}::9"));
        host
    }

    pub(crate) fn inside<T>(&self, f: impl FnOnce() -> T) -> T {
        self.netns.run(f).unwrap()
    }

    /// Has `ip` or `bridge` do something by hand.
    pub(crate) fn run(&self, program: &str, arguments: &str) -> String {
        let output = self.inside(|| {
            let mut command = Command::new(program);
            command.args(arguments.split(' ')).output().unwrap()
        });
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Waits until packets to one of the node's addresses are taken. For IPv6 the kernel sees to
    /// that from a work queue, some time after it has acknowledged the address.
    pub(crate) fn wait_for(&self, address: &str) {
        const LOCAL: Option<u32> = Some(255);
        let way = || self.rtnl.lookup(address.parse().unwrap()).unwrap();
        while way().is_none_or(|route| route.table != LOCAL) {
            thread::yield_now();
        }
    }

    pub(crate) fn ip(&self, arguments: &str) -> String {
        self.run("ip", arguments)
    }

    pub(crate) fn cluster(&self, nodes: &[Node], settings: &Settings) -> Cluster {
        let (cluster, complaints) = Cluster::new(&self.name, nodes.to_vec(), settings).unwrap();
        assert!(complaints.is_empty(), "{complaints:?}");
        cluster
    }

    pub(crate) fn dataplane<'a>(&'a self, settings: &'a Settings) -> Dataplane<'a> {
        Dataplane {
            rtnl: &self.rtnl,
            settings,
            origin: Origin::Own,
        }
    }

    pub(crate) fn reconcile(&self, nodes: &[Node], settings: &Settings) -> Report {
        let cluster = self.cluster(nodes, settings);
        self.inside(|| self.dataplane(settings).reconcile(&cluster))
    }

    pub(crate) fn audit(&self, nodes: &[Node], settings: &Settings) -> Report {
        let cluster = self.cluster(nodes, settings);
        self.inside(|| self.dataplane(settings).audit(&cluster))
    }

    pub(crate) fn holds(&self, nodes: &[Node], settings: &Settings) -> bool {
        let cluster = self.cluster(nodes, settings);
        let seen = self.inside(|| self.dataplane(settings).glance(&cluster).unwrap());
        let surroundings = self.dataplane(settings).surroundings(&cluster).unwrap();
        assert!(seen.iter().all(|seen| *seen == surroundings), "{seen:?}");
        seen.is_some()
    }

    pub(crate) fn follow(&self, before: &[Node], after: &[Node], settings: &Settings) -> Report {
        let [before, after] = [before, after].map(|nodes| self.cluster(nodes, settings));
        self.inside(|| self.dataplane(settings).follow(&before, &after))
    }

    pub(crate) fn device(&self, name: &str) -> Link {
        let link = self.rtnl.link(name).unwrap();
        link.unwrap_or_else(|| panic!("{}: no link {name}", self.name))
    }

    /// Waits until the kernel is through with addresses that it gives devices by itself.
    pub(crate) fn settle(&self, devices: &[&str]) {
        for name in devices {
            let index = self.device(name).index;
            let limit = Duration::from_secs(10);
            self.rtnl.wait_settled(index, limit).unwrap();
        }
    }

    /// A further call finds nothing to do, and the kernel tells nobody of any change. Of IPv6
    /// addresses it tells late, so a call may hear of earlier ones.
    pub(crate) fn assert_quiet(&self, nodes: &[Node], settings: &Settings, devices: &[&str]) {
        self.settle(devices);
        let audit = self.audit(nodes, settings);
        assert!(audit.is_clean(), "{audit:?}");
        let events = || self.events_of_a_call(nodes, settings, devices);
        assert!((0..5).any(|_| events().is_empty()), "{:?}", events());
    }

    fn events_of_a_call(&self, nodes: &[Node], settings: &Settings, devices: &[&str]) -> Events {
        let ours: Vec<_> = devices.iter().map(|name| self.device(name).index).collect();
        let monitor = Monitor::open_in(&self.netns).unwrap();
        let report = self.reconcile(nodes, settings);
        assert!(
            report.is_clean() && report.operations.is_empty(),
            "{report:?}"
        );
        monitor.drain_where(|event| match event {
            Event::Link(index) | Event::Address(index) | Event::Neighbour(index) => {
                ours.contains(&index)
            }
            Event::Route(protocol) => protocol == topology::PROTOCOL,
        })
    }
}

pub(crate) fn network(text: &str) -> IpNetwork {
    text.parse().unwrap()
}
