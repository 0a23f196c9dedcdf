// SPDX-License-Identifier: Apache-2.0
//! Two nodes as flanneld leaves them, and what talks on them while its place is taken.

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use integration_tests::flannel::{self, Vtep};
use integration_tests::{Fleet, Inquirer, Member, PATIENCE, Pod, Stack, Stream, ping};
use net::Mac;
use serde_json::{Value, json};

pub(crate) const NODES: &str = "/run/lab/nodes.json";
pub(crate) const SUBNET_ENV: &str = "/run/flannel/subnet.env";
pub(crate) const ARGS: [&str; 6] = [
    "--nodes",
    NODES,
    "--take-over-flannel",
    "--ip-masq",
    "--audit-interval",
    "1",
];
pub(crate) const DEVICES: [&str; 2] = ["flannel.1", "flannel-v6.1"];
pub(crate) const VNI: u32 = 1;
const PACE: Duration = Duration::from_millis(2);

/// What a member is to others, IPv4 first.
pub(crate) fn vteps(member: &Member) -> Vec<Vtep> {
    let ends = member.underlay().into_iter().zip(member.pod_cidrs());
    let vtep = |(family, (underlay, pods)): (u8, (IpAddr, _))| Vtep {
        underlay,
        mac: Mac::new([2, 0x6f, 0, 0, family, member.name.as_bytes()[1]]),
        pods,
    };
    (0..).zip(ends).map(vtep).collect()
}

/// Two nodes as flanneld leaves them, and Docker beside it, with a pod on each.
pub(crate) struct Cluster {
    pub(crate) fleet: Fleet,
    pub(crate) pods: Vec<Pod>,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let fleet = Fleet::new(2, Stack::Dual);
        for member in &fleet.members {
            for own in vteps(member) {
                flannel::device(&member.node, &own, VNI);
            }
            for peer in fleet.members.iter().filter(|it| it.name != member.name) {
                for peer in vteps(peer) {
                    flannel::peer(&member.node, &peer, VNI);
                }
            }
            for network in fleet.network() {
                flannel::iptables(&member.node, network, "filter", &["-P", "FORWARD", "DROP"]);
            }
            make_rules(&fleet, member);
            let mut list: Value = serde_json::from_str(&fleet.nodes_json()).expect("it is JSON");
            for (index, peer) in fleet.members.iter().enumerate() {
                for (key, vtep) in ["mac", "macV6"].iter().zip(vteps(peer)) {
                    list["nodes"][index][key] = vtep.mac.to_string().into();
                }
            }
            member.node.write(NODES, list.to_string());
            let [four, six] = [0, 1].map(|it| fleet.network()[it]);
            let [four_own, six_own] = [0, 1].map(|it| first(member, it));
            member.node.run(|| {
                fs::create_dir_all("/run/flannel").expect("a fresh /run is writable");
            });
            member.node.write(
                SUBNET_ENV,
                format!(
                    "FLANNEL_NETWORK={four}\nFLANNEL_SUBNET={four_own}\n\
                     FLANNEL_IPV6_NETWORK={six}\nFLANNEL_IPV6_SUBNET={six_own}\n\
                     FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
                ),
            );
        }
        // As flannel's plugin has `bridge` attach it.
        let attach = |member: &Member| {
            let bridge = member.bridge();
            member.attach(&bridge.with(&json!({"ipMasq": false, "mtu": 1430})))
        };
        let pods = fleet.members.iter().map(attach).collect();
        Self { fleet, pods }
    }

    pub(crate) fn member(&self) -> &Member {
        &self.fleet.members[0]
    }

    /// Datagrams between the two pods, both ways and by both families.
    pub(crate) fn streams(&self) -> Vec<Stream> {
        let [one, other] = [0, 1].map(|it| &self.pods[it]);
        let ways = [(one, other), (other, one)].into_iter();
        let streams = ways.flat_map(|(from, to)| {
            // IPv6 may take a second to find the first neighbour, and loses what does not fit the
            // queue meanwhile.
            let start = |address| {
                assert!(ping(from, address, PATIENCE), "{address}");
                Stream::start(from, to, address, 9, PACE)
            };
            to.all_addresses()
                .into_iter()
                .map(start)
                .collect::<Vec<_>>()
        });
        streams.collect()
    }

    /// The first pod asks the world; each answer goes to the node.
    pub(crate) fn inquirers(&self) -> Vec<Inquirer> {
        let addresses = self.fleet.outside_addresses().into_iter();
        let expected = self.member().underlay();
        let ends = addresses.zip(expected);
        ends.map(|(address, as_whom)| {
            Inquirer::start(&self.pods[0], &self.fleet.outside, address, as_whom)
        })
        .collect()
    }
}

/// The first address of a pod CIDR, with the prefix length.
pub(crate) fn first(member: &Member, family: usize) -> String {
    let cidr = member.pod_cidrs()[family];
    let first = match cidr.network() {
        IpAddr::V4(it) => IpAddr::from((u32::from(it) + 1).to_be_bytes()),
        IpAddr::V6(it) => IpAddr::from((u128::from(it) + 1).to_be_bytes()),
    };
    format!("{first}/{}", cidr.prefix())
}

pub(crate) fn make_rules(fleet: &Fleet, member: &Member) {
    for (network, pods) in fleet.network().into_iter().zip(member.pod_cidrs()) {
        flannel::rules(&member.node, network, pods);
    }
}

/// What `iptables` says of a member's rules, of both families.
pub(crate) fn saved(member: &Member) -> String {
    ["iptables-save", "ip6tables-save"]
        .map(|program| member.node.tool(program, ""))
        .concat()
}

pub(crate) fn ruleset(member: &Member) -> String {
    member.node.tool("nft", "list ruleset")
}

pub(crate) fn assert_none_lost(streams: Vec<Stream>) {
    for stream in streams {
        assert!(stream.wait_for(100, PATIENCE));
        let tally = stream.end();
        assert_eq!(tally.lost(), 0, "{tally:?}");
    }
}

/// Whether it becomes so within a second; what the kernel tells of has it looked again.
pub(crate) fn within_a_second(member: &Member, is_so: impl FnMut() -> bool) -> bool {
    let limit = Duration::from_secs(1);
    member.node.eventually(limit, is_so).is_some()
}
