// SPDX-License-Identifier: Apache-2.0
//! A node of Podwire's and one that flannel has set up, in one overlay: flannel's is made by hand,
//! with the CNI project's plugins, and owes nothing to Podwire's code.

use std::net::IpAddr;

use integration_tests::flannel::{self, Vtep};
use integration_tests::{
    Conversation, Fleet, Network, Node, PATIENCE, Pod, Runner, Stack, Stream, binaries, ping,
    ping_unfragmented, seen,
};
use ipnetwork::IpNetwork;
use net::Mac;
use nix::errno::Errno;
use serde_json::{Value, json};
use std::time::Duration;

/// flannel's and Podwire's default.
const VNI: u32 = 1;
const DEVICES: [&str; 2] = ["podwire.1", "podwire-v6.1"];
const MACS: [Mac; 2] = [
    Mac::new([0xc6, 0xd2, 0x32, 0x6f, 0x8f, 0x44]),
    Mac::new([0x5a, 0x00, 0x31, 0xfe, 0x02, 0x91]),
];

/// One node of Podwire's, one of flannel's, and a pod on each.
struct Mixed {
    fleet: Fleet,
    _flannel: Node,
    own: Pod,
    other: Pod,
}

/// What flannel's node is to others.
fn vteps(stack: Stack, host: &Node) -> Vec<Vtep> {
    let pods = ["10.200.50.0/24", "fd00:200:0:50::/64"]
        .map(|cidr| cidr.parse::<IpNetwork>().expect("a CIDR"));
    let macs = MACS
        .into_iter()
        .zip(pods)
        .filter(|(_, pods)| stack.has(pods.ip()));
    let ends = host.all_addresses().into_iter().zip(macs);
    let vtep = |(underlay, (mac, pods))| Vtep {
        underlay,
        mac,
        pods,
    };
    ends.map(vtep).collect()
}

/// The entry of flannel's node in a list of nodes, as its annotations have it.
fn entry(vteps: &[Vtep]) -> Value {
    let mut entry = json!({"name": "flannel", "underlay": [], "podCIDRs": []});
    for vtep in vteps {
        let key = if vtep.underlay.is_ipv4() {
            "mac"
        } else {
            "macV6"
        };
        entry[key] = vtep.mac.to_string().into();
        for (key, value) in [
            ("underlay", vtep.underlay.to_string()),
            ("podCIDRs", vtep.pods.to_string()),
        ] {
            entry[key]
                .as_array_mut()
                .expect("it is a list")
                .push(value.into());
        }
    }
    entry
}

impl Mixed {
    fn new(stack: Stack) -> Self {
        let fleet = Fleet::new(1, stack);
        let host = fleet.add_host(50);
        let theirs = vteps(stack, &host);
        let ours = &fleet.members[0];
        let nodes = json!([ours.entry(), entry(&theirs)]);
        let own = ours.attach(&fleet.conflist(ours, &json!({"nodes": nodes})));
        let devices = DEVICES
            .iter()
            .filter(|name| ours.node.interfaces().contains(&(**name).to_owned()));
        let ends = ours
            .underlay()
            .into_iter()
            .zip(ours.pod_cidrs())
            .zip(devices);
        for (((underlay, pods), device), own) in ends.zip(&theirs) {
            let mac = ours.node.link(device).mac;
            flannel::device(&host, own, VNI);
            flannel::peer(
                &host,
                &Vtep {
                    underlay,
                    mac,
                    pods,
                },
                VNI,
            );
        }
        let other = delegate(&host, &theirs);
        Self {
            fleet,
            _flannel: host,
            own,
            other,
        }
    }

    /// The addresses of the pods, ours and flannel's, by family.
    fn pairs(&self) -> Vec<(IpAddr, IpAddr)> {
        let pairs = self
            .own
            .all_addresses()
            .into_iter()
            .zip(self.other.all_addresses());
        pairs.collect()
    }
}

/// A pod as flannel's plugin has `bridge` make it: with an MTU of 1450 whatever the family.
fn delegate(host: &Node, vteps: &[Vtep]) -> Pod {
    // The CNI project's bridge does not wait until its own address is no duplicate.
    host.write("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
    let cidrs: Vec<_> = vteps.iter().map(|vtep| vtep.pods.to_string()).collect();
    let cidrs: Vec<_> = cidrs.iter().map(String::as_str).collect();
    let network = Network::of_bridge("cbr0", &cidrs, json!({"mtu": 1450, "hairpinMode": true}));
    Runner::with_plugins(host, binaries::go_plugins()).attach(&network, host)
}

#[test]
fn pods_of_both_see_each_other_as_they_are() {
    for stack in Stack::ALL {
        let mixed = Mixed::new(stack);
        let Mixed { own, other, .. } = &mixed;
        assert_eq!(mixed.pairs().len(), mixed.fleet.network().len());
        for (ours, theirs) in mixed.pairs() {
            assert!(ping(own, theirs, PATIENCE), "{stack:?}: to {theirs}");
            assert!(ping(other, ours, PATIENCE), "{stack:?}: to {ours}");
            assert_eq!(seen(own, other, theirs), ours);
            assert_eq!(seen(other, own, ours), theirs);
        }
    }
}

#[test]
fn connections_run_both_ways() {
    let mixed = Mixed::new(Stack::Dual);
    let Mixed { own, other, .. } = &mixed;
    for (ours, theirs) in mixed.pairs() {
        let there = Conversation::start(own, other, theirs, 80);
        let here = Conversation::start(other, own, ours, 80);
        let pace = Duration::from_millis(2);
        let streams = [
            Stream::start(own, other, theirs, 81, pace),
            Stream::start(other, own, ours, 81, pace),
        ];
        assert_eq!((there.seen().ip(), here.seen().ip()), (ours, theirs));
        assert!(there.wait_for(50, PATIENCE) && here.wait_for(50, PATIENCE));
        for tally in streams.map(Stream::end) {
            assert_eq!(tally.lost(), 0, "{tally:?}");
        }
    }
}

/// 1450 octets by IPv4, 1430 by IPv6, in both directions and not one more.
#[test]
fn packets_are_as_large_as_the_devices_take() {
    for (stack, largest) in [(Stack::V4, 1450), (Stack::V6, 1430)] {
        let mixed = Mixed::new(stack);
        let Mixed { own, other, .. } = &mixed;
        for (ours, theirs) in mixed.pairs() {
            for (from, to) in [(own, theirs), (other, ours)] {
                ping_unfragmented(from, to, largest, PATIENCE)
                    .unwrap_or_else(|error| panic!("{largest} octets to {to}: {error}"));
                assert_told(ping_unfragmented(from, to, largest + 1, PATIENCE));
            }
        }
    }
}

/// flannel gives its pods 1450 octets for both families, ours have 1430 there: theirs are told.
#[test]
fn pods_of_flannels_are_told_what_fits_in_a_dual_stack() {
    let mixed = Mixed::new(Stack::Dual);
    for (ours, theirs) in mixed.pairs() {
        for (from, to) in [(&mixed.own, theirs), (&mixed.other, ours)] {
            ping_unfragmented(from, to, 1430, PATIENCE)
                .unwrap_or_else(|error| panic!("1430 octets to {to}: {error}"));
            assert_told(ping_unfragmented(from, to, 1450, PATIENCE));
        }
    }
}

fn assert_told(sent: std::io::Result<()>) {
    let error = sent.expect_err("it is too large for the overlay");
    assert_eq!(
        error.raw_os_error(),
        Some(Errno::EMSGSIZE as i32),
        "{error}"
    );
}
