// SPDX-License-Identifier: Apache-2.0
//! A node whose pods' packets can be dropped, with a world outside that knows the way to them.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use integration_tests::{
    BRIEFLY, Echo, Network, Node, Outside, PATIENCE, Place, Pod, Runner, ask_tcp, binaries, ping,
};
use serde_json::{Value, json};

/// Where the plugins of a test's own are.
const PLUGINS: &str = "/run/lab/cni/bin";
/// The port at which the node leads to a pod.
pub(crate) const NODE_PORT: u16 = 8080;
/// The port of a pod's server.
pub(crate) const POD_PORT: u16 = 80;

/// The node, the host outside, the runtime.
pub(crate) struct Site {
    pub(crate) node: Node,
    pub(crate) outside: Outside,
    pub(crate) runner: Runner,
}

impl Site {
    /// A node that forwards everything.
    pub(crate) fn new() -> Self {
        Self::with_plugins(|_| binaries::plugins().to_owned())
    }

    /// As [`Site::new`], with the reference plugin behind Podwire's `bridge`.
    pub(crate) fn of_reference() -> Self {
        Self::with_plugins(|node| {
            node.run(|| {
                fs::create_dir_all(PLUGINS).expect("a node's /run is writable");
                let (ours, theirs) = (binaries::plugins().to_owned(), binaries::go_plugins());
                for (from, name) in [
                    (&ours, "bridge"),
                    (&ours, "host-local"),
                    (&theirs, "firewall"),
                ] {
                    let copied = fs::copy(from.join(name), Path::new(PLUGINS).join(name));
                    copied.unwrap_or_else(|error| panic!("{name}: {error}"));
                }
            });
            PLUGINS.into()
        })
    }

    fn with_plugins(plugins: impl Fn(&Node) -> std::path::PathBuf) -> Self {
        let node = Node::new();
        let outside = Outside::new(&node, 1500);
        for subnet in ["10.1.0.0/16", "fd00:1::/32"] {
            outside.add_route_back(subnet.parse().expect("a CIDR"));
        }
        let runner = Runner::with_plugins(&node, plugins(&node));
        Self {
            node,
            outside,
            runner,
        }
    }

    /// Has iptables drop what is forwarded, as Docker does.
    pub(crate) fn drop_forwarded(&self) {
        self.iptables("-P FORWARD DROP");
    }

    /// One command for both protocols.
    pub(crate) fn iptables(&self, arguments: &str) {
        for program in ["iptables", "ip6tables"] {
            self.node.tool(program, arguments);
        }
    }

    /// What iptables says that it has of table `filter`, both protocols.
    pub(crate) fn listed(&self) -> String {
        ["iptables", "ip6tables"]
            .map(|program| self.node.tool(program, "-S"))
            .concat()
    }

    /// All of the ruleset but counters.
    pub(crate) fn ruleset(&self) -> String {
        self.node.tool("nft", "--stateless list ruleset")
    }

    /// Attaches a new pod.
    pub(crate) fn attach(&self, network: &Network, name: &str) -> Pod {
        let pod = self.node.pod(name);
        let added = self.runner.add(network, &pod, "eth0");
        added.unwrap_or_else(|failure| panic!("{name}: {failure}"));
        pod
    }

    /// Takes it away as a runtime does.
    pub(crate) fn detach(&self, network: &Network, pod: &Pod) {
        let removed = self.runner.del(network, pod, "eth0");
        removed.unwrap_or_else(|failure| panic!("{}: {failure}", pod.name()));
    }

    /// Leads port [`NODE_PORT`] of the node to port [`POD_PORT`] of a pod, as a port mapping does.
    pub(crate) fn map_port(&self, pod: &Pod) {
        let [v4, v6] = pod.both_addresses();
        let rule = "-t nat -A PREROUTING -p tcp -m addrtype --dst-type LOCAL --dport";
        for (program, target) in [
            ("iptables", SocketAddr::new(v4, POD_PORT)),
            ("ip6tables", SocketAddr::new(v6, POD_PORT)),
        ] {
            let rule = format!("{rule} {NODE_PORT} -j DNAT --to-destination {target}");
            self.node.tool(program, &rule);
        }
    }

    /// Whether the pod can begin a conversation with the host outside, by each protocol.
    pub(crate) fn reaches_outside(&self, pod: &Pod) -> [bool; 2] {
        [Outside::V4, Outside::V6].map(|to| ping(pod, to, limit(true)))
    }
}

/// The network of a bridge of its own, with this in `firewall`; its number is in the subnets.
pub(crate) fn network(number: u8, keys: &Value) -> Network {
    let subnets = [
        format!("10.1.{number}.0/24"),
        format!("fd00:1:{number}::/64"),
    ];
    let subnets = subnets.each_ref().map(String::as_str);
    let bridge = json!({"bridge": format!("cni{number}")});
    let network = Network::of_bridge(&format!("pods{number}"), &subnets, bridge);
    network
        .followed_by(json!({"type": "firewall"}))
        .with_at(1, keys)
}

/// A network whose `ingressPolicy` is this one.
pub(crate) fn guarded(number: u8, policy: &str) -> Network {
    network(number, &json!({"ingressPolicy": policy}))
}

/// Whether a place's echo requests to each address of a pod are answered.
pub(crate) fn reaches(from: &Place, pod: &Pod) -> [bool; 2] {
    pod.both_addresses().map(|to| ping(from, to, limit(false)))
}

/// Whether a TCP server on the pod can be asked by way of this port of the node.
pub(crate) fn reaches_by_port(from: &Place, pod: &Pod, node: IpAddr) -> bool {
    let unspecified: IpAddr = if node.is_ipv4() {
        [0; 4].into()
    } else {
        [0_u16; 8].into()
    };
    let _server = Echo::start(pod, unspecified, POD_PORT);
    ask_tcp(from, SocketAddr::new(node, NODE_PORT)).is_ok()
}

/// What must come may take longer than one waits for what must not.
fn limit(must_come: bool) -> std::time::Duration {
    if must_come { PATIENCE } else { BRIEFLY * 3 }
}

pub(crate) const YES: [bool; 2] = [true, true];
pub(crate) const NO: [bool; 2] = [false, false];
