// SPDX-License-Identifier: Apache-2.0
//! Nodes on which flannel made the overlay: the agent takes its place while pods talk. What flannel
//! made is made by hand and owes nothing to Podwire's code.

use std::time::Duration;

use integration_tests::flannel::{self, Vtep};
use integration_tests::{Agent, Fleet, Member, PATIENCE, Stack, Stream, podwired};
use net::Mac;
use serde_json::{Value, json};

const NODES: &str = "/run/lab/nodes.json";
const ARGS: [&str; 3] = ["--nodes", NODES, "--take-over-flannel"];
const DEVICES: [&str; 2] = ["flannel.1", "flannel-v6.1"];
const VNI: u32 = 1;
const PACE: Duration = Duration::from_millis(2);

/// What a member is to others, IPv4 first.
fn vteps(fleet: &Fleet, member: &Member) -> [Vtep; 2] {
    let number = fleet.members.iter().position(|it| it.name == member.name);
    let number = u8::try_from(number.expect("it is one of them")).expect("a fleet is small");
    [0, 1].map(|family| Vtep {
        underlay: member.underlay()[usize::from(family)],
        mac: Mac::new([2, 0x6f, 0, 0, family, number]),
        pods: member.pod_cidrs()[usize::from(family)],
    })
}

/// Two nodes as flannel leaves them.
fn flannels() -> Fleet {
    let fleet = Fleet::new(2, Stack::Dual);
    let [one, other] = [0, 1].map(|index| vteps(&fleet, &fleet.members[index]));
    for (member, own, peer) in [
        (&fleet.members[0], &one, &other),
        (&fleet.members[1], &other, &one),
    ] {
        for (own, peer) in own.iter().zip(peer) {
            flannel::device(&member.node, own, VNI);
            flannel::peer(&member.node, peer, VNI);
        }
    }
    fleet
}

/// The list of nodes with the MAC addresses that flannel's annotations have.
fn list(fleet: &Fleet) -> String {
    let mut list: Value = serde_json::from_str(&fleet.nodes_json()).expect("it is JSON");
    for (index, member) in fleet.members.iter().enumerate() {
        let [four, six] = vteps(fleet, member);
        list["nodes"][index]["mac"] = four.mac.to_string().into();
        list["nodes"][index]["macV6"] = six.mac.to_string().into();
    }
    list.to_string()
}

/// What of a member's devices must stay.
fn identity(member: &Member) -> Vec<(u32, Mac)> {
    let links = DEVICES.map(|name| member.node.link(name));
    links.iter().map(|link| (link.index, link.mac)).collect()
}

fn routes(member: &Member, protocol: &str) -> Vec<String> {
    let show = |family| {
        let routes = member
            .node
            .ip(&format!("{family} route show proto {protocol}"));
        let first = |line: &str| line.split(' ').next().map(str::to_owned);
        routes.lines().filter_map(first).collect::<Vec<_>>()
    };
    [show("-4"), show("-6")].concat()
}

#[test]
fn the_agent_takes_flannels_place_and_no_packet_is_lost() {
    let fleet = flannels();
    let untranslated = json!({"ipMasq": false});
    let pods: Vec<_> = fleet
        .members
        .iter()
        .map(|member| member.attach(&member.bridge().with(&untranslated)))
        .collect();
    let streams: Vec<_> = [(0, 1), (1, 0)]
        .into_iter()
        .flat_map(|(from, to)| {
            let to = &pods[to];
            let start = |address| Stream::start(&pods[from], to, address, 9, PACE);
            to.all_addresses()
                .into_iter()
                .map(start)
                .collect::<Vec<_>>()
        })
        .collect();
    let before: Vec<_> = fleet.members.iter().map(identity).collect();
    let mut agents = Vec::new();
    for (member, identities) in fleet.members.iter().zip(&before) {
        let peers = routes(member, "boot");
        let peers: Vec<_> = peers.into_iter().filter(|to| to != "default").collect();
        member.node.write(NODES, list(&fleet));
        let agent = Agent::converged(&member.node, &ARGS);
        assert_eq!(&identity(member), identities, "{}", agent.log());
        assert_eq!(routes(member, "118"), peers, "{}", agent.log());
        let left: Vec<_> = routes(member, "boot");
        assert!(left.iter().all(|to| to == "default"), "{left:?}");
        let devices = json!(DEVICES);
        assert_eq!(agent.state().expect("it wrote one")["devices"], devices);
        assert_eq!(agent.status()["usable"], true, "{}", agent.status());
        agents.push(agent);
    }
    for stream in streams {
        assert!(stream.wait_for(100, PATIENCE));
        let tally = stream.end();
        assert_eq!(tally.lost(), 0, "{tally:?}");
    }
    drop(agents);
    for member in &fleet.members {
        let cleanup = podwired(&member.node, &["cleanup"]);
        assert!(cleanup.success(), "{cleanup}");
        let links = member.node.interfaces();
        assert!(!links.iter().any(|it| DEVICES.contains(&it.as_str())));
    }
}
