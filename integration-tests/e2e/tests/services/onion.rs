// SPDX-License-Identifier: Apache-2.0
//! The layers in front of a process in a pod, from the inside to the outside, and what connection
//! tracking knows at each: container port, pod address, ClusterIP, NodePort of a node without the pod,
//! NodePort of its own.

use std::net::{IpAddr, SocketAddr};

use e2e_tests::{ProxyMode, Service};
use integration_tests::conntrack::{Flow, flows};
use integration_tests::{Echo, Member, Place, ask_tcp};
use serde_json::json;

use crate::in_both_modes;
use crate::scene::{Scene, bridge_addresses, vteps};

in_both_modes!(each_layer_adds_one_translation);

/// Source, destination, and the answers' source and destination, as a node tracks them.
type Tracked = [IpAddr; 4];

/// A question at one layer.
struct Layer<'a> {
    name: &'a str,
    from: (&'a Place, &'a str),
    to: SocketAddr,
    /// Whom the process sees.
    seen: IpAddr,
    /// What each node tracks; nothing where the question does not come by.
    tracked: [Option<Tracked>; 2],
}

impl<'a> Layer<'a> {
    fn new(
        name: &'a str,
        from: (&'a Place, &'a str),
        to: SocketAddr,
        seen: IpAddr,
        tracked: [Option<Tracked>; 2],
    ) -> Self {
        Self {
            name,
            from,
            to,
            seen,
            tracked,
        }
    }
}

/// Who takes part, in one family.
struct Ends {
    client: IpAddr,
    pod: IpAddr,
    service: IpAddr,
    outside: IpAddr,
    nodes: [IpAddr; 2],
    vtep: IpAddr,
    bridge: IpAddr,
}

fn each_layer_adds_one_translation(mode: ProxyMode) {
    let scene = Scene::new(&mode.into());
    // A runtime calls the plugin `loopback` for that.
    scene.far().set_up("lo");
    let keys = json!({"type": "NodePort"});
    let service = scene.service("web", &keys, &[scene.far()]);
    for (family, loopback) in [[127, 0, 0, 1].into(), [0, 0, 0, 0, 0, 0, 0, 1].into()]
        .into_iter()
        .enumerate()
    {
        let _process = Echo::start(scene.far(), loopback, Service::TARGET);
        let layers = layers(&scene, &service, family, loopback);
        let walked = layers.iter().map(|layer| walk(&scene, layer));
        eprintln!("{mode:?}:\n{}", walked.collect::<String>());
    }
}

fn ends(scene: &Scene, service: &Service, family: usize) -> Ends {
    Ends {
        client: scene.client().all_addresses()[family],
        pod: scene.far().all_addresses()[family],
        service: service.addresses[family],
        outside: scene.cluster.fleet.outside_addresses()[family],
        nodes: [scene.node(), scene.other_node()].map(|node| node.underlay()[family]),
        vtep: vteps(scene.node())[family],
        bridge: bridge_addresses(scene.other_node())[family],
    }
}

fn layers<'a>(
    scene: &'a Scene,
    service: &Service,
    family: usize,
    loopback: IpAddr,
) -> [Layer<'a>; 5] {
    let it = ends(scene, service, family);
    let [port, _] = service.node_ports.expect("it has NodePorts");
    let client = (&**scene.client(), "a pod of n1");
    let outside = (&scene.cluster.fleet.outside, "a host outside");
    let plain = |from: IpAddr| Some([from, it.pod, it.pod, from]);
    [
        Layer::new(
            "container port",
            (&**scene.far(), "the pod itself, on n2"),
            SocketAddr::new(loopback, Service::TARGET),
            loopback,
            [None, None],
        ),
        Layer::new(
            "pod address",
            client,
            SocketAddr::new(it.pod, Service::TARGET),
            it.client,
            [plain(it.client), plain(it.client)],
        ),
        Layer::new(
            "ClusterIP",
            client,
            SocketAddr::new(it.service, Service::HTTP),
            it.client,
            [
                Some([it.client, it.service, it.pod, it.client]),
                plain(it.client),
            ],
        ),
        Layer::new(
            "NodePort of n1",
            outside,
            SocketAddr::new(it.nodes[0], port),
            it.vtep,
            [
                Some([it.outside, it.nodes[0], it.pod, it.vtep]),
                plain(it.vtep),
            ],
        ),
        Layer::new(
            "NodePort of n2",
            outside,
            SocketAddr::new(it.nodes[1], port),
            it.bridge,
            [None, Some([it.outside, it.nodes[1], it.pod, it.bridge])],
        ),
    ]
}

/// Asks at a layer, holds what is seen and tracked against what is wanted, and tells it.
fn walk(scene: &Scene, layer: &Layer<'_>) -> String {
    let members = [scene.node(), scene.other_node()];
    let api = scene.cluster.control_plane.host.all_addresses();
    for member in members {
        member.node.tool("conntrack", "-F");
    }
    let (from, who) = layer.from;
    let seen = ask_tcp(from, layer.to).unwrap_or_else(|error| panic!("{}: {error}", layer.name));
    let name = layer.name;
    let mut told = format!("{name}: {who} asks {}; the process sees {seen}\n", layer.to);
    assert_eq!(seen.ip(), layer.seen, "{name}");
    for (member, wanted) in members.into_iter().zip(layer.tracked) {
        for line in lines(member, &api) {
            told += &format!("    {}: {line}\n", member.name);
        }
        assert_eq!(tracked(member, &api), Vec::from_iter(wanted), "{told}");
    }
    told
}

/// What a node tracks of TCP, but what it and the API server say to each other.
fn tracked(member: &Member, api: &[IpAddr]) -> Vec<Tracked> {
    let mut flows = flows(&member.node);
    flows.retain(|flow| {
        let is_of_api = api.contains(&flow.source) || api.contains(&flow.destination);
        flow.protocol == "tcp" && !is_of_api
    });
    let ends = |flow: &Flow| {
        [
            flow.source,
            flow.destination,
            flow.reply_source,
            flow.reply_destination,
        ]
    };
    flows.iter().map(ends).collect()
}

/// The same as `conntrack` prints it: addresses and ports of both directions.
fn lines(member: &Member, api: &[IpAddr]) -> Vec<String> {
    let families = ["ipv4", "ipv6"].map(|family| {
        let list = format!("-L -p tcp -f {family}");
        member.node.tool("conntrack", &list)
    });
    let api: Vec<_> = api.iter().map(|it| format!("={it} ")).collect();
    let lines = families.iter().flat_map(|text| text.lines());
    let lines = lines.filter(|line| !api.iter().any(|it| line.contains(it)));
    let ends = |word: &&str| {
        ["src=", "dst=", "sport=", "dport="]
            .iter()
            .any(|it| word.starts_with(it))
    };
    lines
        .map(|line| {
            let words: Vec<_> = line.split_whitespace().filter(ends).collect();
            words.join(" ")
        })
        .collect()
}
