// SPDX-License-Identifier: Apache-2.0
//! A node with a pod that serves, and the networks that lead ports to it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use integration_tests::{
    Echo, Execution, Network, Node, Outside, Place, Pod, Runner, State, ask_tcp, ask_udp,
};
use serde_json::{Value, json};

/// The port on which pods serve.
pub(crate) const SERVED: u16 = 80;
pub(crate) const LOCALHOST: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];
pub(crate) const NODE: [IpAddr; 2] = [Outside::NODE_V4, Outside::NODE_V6];

/// A node with an outside world.
pub(crate) struct Site {
    pub(crate) node: Node,
    pub(crate) outside: Outside,
    pub(crate) runner: Runner,
}

impl Site {
    pub(crate) fn new() -> Site {
        let node = Node::new();
        Site {
            outside: Outside::new(&node, 1500),
            runner: Runner::new(&node),
            node,
        }
    }

    /// Attaches a pod that answers on [`SERVED`], by both families and protocols.
    pub(crate) fn server(&self, network: &Network) -> (Pod, [Echo; 2]) {
        let pod = self.runner.attach(network, &self.node);
        let servers = serve(&pod);
        (pod, servers)
    }

    /// A call of `portmap` alone, for `eth0` of a pod that has the result of the plugin before it.
    pub(crate) fn portmap(&self, verb: &str, network: &Network, pod: &Pod) -> Execution {
        let result = self.runner.result(&before(network), pod.name(), "eth0");
        self.portmap_with(verb, network, pod, result.as_ref())
    }

    /// The same with any result of the plugin before it.
    pub(crate) fn portmap_with(
        &self,
        verb: &str,
        network: &Network,
        pod: &Pod,
        result: Option<&Value>,
    ) -> Execution {
        let list = list(network);
        let call = self.runner.call(verb, network, &list["plugins"][1], result);
        call.env("CNI_CONTAINERID", pod.name())
            .env("CNI_NETNS", pod.netns().display().to_string())
            .env("CNI_IFNAME", "eth0")
    }

    /// A pod that has an interface of the network, and no ports yet.
    pub(crate) fn bare(&self, network: &Network) -> Pod {
        self.runner.attach(&before(network), &self.node)
    }

    /// Code and text of the error by which `portmap` refuses an ADD, which changes nothing.
    #[track_caller]
    pub(crate) fn refused(&self, network: &Network) -> (u64, String) {
        let pod = self.bare(network);
        let state = State::of(&self.node);
        let outcome = self.portmap("ADD", network, &pod).run(&self.node);
        assert!(!outcome.success(), "{} was not refused", network.text());
        state.assert_nothing_left(&self.node, &[]);
        let deleted = self.runner.del(&before(network), &pod, "eth0");
        deleted.expect("the interface goes");
        outcome.error()
    }

    /// The lines of the node's ruleset that are about ports.
    pub(crate) fn ports(&self) -> Vec<String> {
        let state = State::of(&self.node);
        let lines = state.lines_with("hostport").into_iter();
        lines.map(str::to_owned).collect()
    }
}

/// The network without `portmap`.
pub(crate) fn before(network: &Network) -> Network {
    let mut list = list(network);
    let plugins = list["plugins"].as_array_mut();
    plugins.expect("a list of plugins").truncate(1);
    Network::new(list)
}

/// The network's conflist.
pub(crate) fn list(network: &Network) -> Value {
    serde_json::from_str(&network.text()).expect("a conflist is JSON")
}

/// Servers of both families on a pod's addresses.
pub(crate) fn serve(pod: &Pod) -> [Echo; 2] {
    pod.both_addresses()
        .map(|address| Echo::start(pod, address, SERVED))
}

/// A dual-stack network whose pod has these mappings.
pub(crate) fn network(mappings: Value) -> Network {
    of_bridge("podnet", "cni0", 88, mappings)
}

/// As [`network`], one of several.
pub(crate) fn of_bridge(name: &str, bridge: &str, number: u8, mappings: Value) -> Network {
    let subnets = [format!("10.{number}.0.0/24"), format!("fd00:{number}::/64")];
    let subnets = subnets.each_ref().map(String::as_str);
    let keys = json!({"bridge": bridge, "ipMasq": true});
    Network::of_bridge(name, &subnets, keys).followed_by(json!({
        "type": "portmap",
        "capabilities": {"portMappings": true},
        "runtimeConfig": {"portMappings": mappings},
    }))
}

/// A host port that leads to [`SERVED`].
pub(crate) fn port(host: u16, protocol: &str) -> Value {
    json!({"hostPort": host, "containerPort": SERVED, "protocol": protocol})
}

/// The port for both protocols.
pub(crate) fn both(host: u16) -> Value {
    json!([port(host, "tcp"), port(host, "udp")])
}

/// As whom a client is seen behind a port of the node, by TCP and UDP alike.
#[track_caller]
pub(crate) fn seen_at(client: &Place, address: IpAddr, port: u16) -> IpAddr {
    let server = SocketAddr::new(address, port);
    let seen = |ask: fn(&Place, SocketAddr) -> std::io::Result<SocketAddr>| {
        let seen = ask(client, server);
        seen.unwrap_or_else(|error| panic!("{server}: {error}"))
            .ip()
    };
    let [tcp, udp] = [ask_tcp, ask_udp].map(seen);
    assert_eq!(tcp, udp, "{server}");
    tcp
}

/// Asserts that nobody answers.
#[track_caller]
pub(crate) fn unserved(client: &Place, address: IpAddr, port: u16) {
    let server = SocketAddr::new(address, port);
    assert!(ask_tcp(client, server).is_err(), "tcp {server}");
    assert!(ask_udp(client, server).is_err(), "udp {server}");
}

/// Sets whether an interface takes 127.0.0.0/8 for addresses of a network, as others do, too.
pub(crate) fn set_route_localnet(place: &Place, interface: &str, whether: bool) {
    let path = format!("/proc/sys/net/ipv4/conf/{interface}/route_localnet");
    let set = place.run(|| std::fs::write(&path, u8::from(whether).to_string()));
    set.unwrap_or_else(|error| panic!("{path}: {error}"));
}
