// SPDX-License-Identifier: Apache-2.0
//! The examples below `conf-examples/runtimes/`, called as the runtimes call them that these tests
//! can't start; `docs/runtimes.md` tells which those are.

use std::net::SocketAddr;

use integration_tests::{
    Echo, Execution, Network, Node, Outside, PATIENCE, Pod, Runner, State, ask_tcp, bench,
    binaries, ping, seen,
};
use serde_json::json;

use crate::{ip, text};

const CRIO: &str = "runtimes/crio.conflist";
const FIRECRACKER: &str = "runtimes/firecracker.conflist";
const NOMAD: &str = "runtimes/nomad.conflist";
const STORAGE: &str = "runtimes/multus/storage.conflist";

/// The files that this module tests.
pub(crate) const TESTED: &[&str] = &[CRIO, FIRECRACKER, NOMAD, STORAGE];

/// What CRI-O and Multus pass of a pod.
const POD: &str = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;\
                   K8S_POD_INFRA_CONTAINER_ID=0123;K8S_POD_UID=4567";
/// What Nomad passes of an allocation.
const ALLOCATION: &str = "IgnoreUnknown=true;NOMAD_ALLOC_ID=0123;NOMAD_GROUP_NAME=web;\
                          NOMAD_JOB_ID=shop;NOMAD_NAMESPACE=default;NOMAD_REGION=global";

/// A network's pods reach each other and the world, as the node; a port of the node leads to one;
/// CHECK agrees; and twice taken away nothing of them is left.
fn published(file: &str, args: &str) {
    let node = Node::new();
    let outside = Outside::new(&node, 1500);
    let network = Network::parse(&text(file));
    let plain = Runner::new(&node).with_args(args);
    let mappings = json!([{"hostPort": 20080, "containerPort": 80, "protocol": "tcp"}]);
    let runner = Runner::new(&node)
        .with_args(args)
        .with_capability("portMappings", mappings);
    let other = plain.attach(&network, &node);
    let before = State::of(&node);
    let pod = runner.attach(&network, &node);
    assert_eq!(seen(&pod, &outside, Outside::V4), Outside::NODE_V4);
    for address in pod.all_addresses() {
        assert!(ping(&other, address, PATIENCE), "{address}");
        let server = Echo::start(&pod, address, 80);
        assert!(ask_tcp(&node, server.address()).is_ok(), "{address}");
        let port = match address.is_ipv4() {
            true => Outside::NODE_V4,
            false => Outside::NODE_V6,
        };
        let client = ask_tcp(&outside, SocketAddr::new(port, 20080));
        let client = client.unwrap_or_else(|error| panic!("{port}: {error}"));
        assert_eq!(
            client.ip(),
            if address.is_ipv4() {
                Outside::V4
            } else {
                Outside::V6
            }
        );
    }
    succeed(runner.check(&network, &pod, "eth0"));
    for _ in 0..2 {
        succeed(runner.del(&network, &pod, "eth0"));
        before.assert_nothing_left(&node, &["last_reserved_ip"]);
    }
    succeed(plain.del(&network, &other, "eth0"));
    assert_eq!(bench::leases(&node, network.name()), [""; 0]);
}

fn succeed(done: Result<(), integration_tests::Failure>) {
    done.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn crio() {
    published(CRIO, POD);
}

/// `loopback` comes first in Nomad's list, and `bridge` gets its result.
#[test]
fn nomad() {
    published(NOMAD, ALLOCATION);
}

/// nerdctl and Nomad read a plugin's version where it is called without CNI_COMMAND: nerdctl all that
/// comes after the plugin's name, and it isolates networks by a firewall of 1.1.0 or newer; Nomad
/// schedules nothing where one of these is older than 0.4.0.
#[test]
fn versions_that_runtimes_read() {
    let node = Node::new();
    for plugin in ["bridge", "firewall", "host-local", "loopback", "portmap"] {
        let outcome = Execution::new(binaries::plugins().join(plugin)).run(&node);
        assert!(outcome.success() && outcome.stdout.is_empty(), "{outcome}");
        let line = outcome.stderr.lines().next().unwrap_or_default();
        let version = line.strip_prefix(&format!("CNI {plugin} plugin v"));
        let version = version.unwrap_or_else(|| panic!("{outcome}"));
        let (numbers, build) = version.split_once('+').unwrap_or((version, ""));
        let numbers: Vec<u32> = numbers.split('.').map(|it| it.parse().unwrap()).collect();
        assert!(numbers.len() == 3 && numbers >= vec![1, 1, 0], "{version}");
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '.';
        assert!(build.chars().all(plain), "{version}");
    }
}

/// A pod's second interface, beside that of the cluster's network.
struct Second {
    node: Node,
    runner: Runner,
    networks: [Network; 2],
}

impl Second {
    fn new() -> Self {
        let node = Node::new();
        Self {
            runner: Runner::new(&node).with_args(POD),
            networks: [text("kubelet.conflist"), text(STORAGE)].map(|text| Network::parse(&text)),
            node,
        }
    }

    /// A pod with both interfaces, the cluster's first, as Multus makes them.
    fn pod(&self) -> Pod {
        let pod = self.runner.attach(&self.networks[0], &self.node);
        let added = self.runner.add(&self.networks[1], &pod, "net1");
        added.unwrap_or_else(|failure| panic!("{failure}"));
        pod
    }
}

#[test]
fn multus() {
    let second = Second::new();
    let [cluster, storage] = &second.networks;
    let (a, b) = (second.pod(), second.pod());
    assert_eq!(a.interfaces(), ["eth0", "net1"]);
    assert!(a.ip("route show default").contains("dev eth0"));
    assert!(a.ip("route show 10.98.0.0/24").contains("dev net1"));
    for (interface, server) in [("eth0", b.ipv4("eth0")), ("net1", b.ipv4("net1"))] {
        assert_eq!(seen(&a, &b, server), a.ipv4(interface));
    }
    assert!(!second.node.ip("address show storage0").contains("inet 10."));
    for (network, interface) in [(cluster, "eth0"), (storage, "net1")] {
        succeed(second.runner.check(network, &a, interface));
        succeed(second.runner.status(network));
    }
    // Multus takes the last attachment away first. The other one goes on.
    succeed(second.runner.del(storage, &a, "net1"));
    assert_eq!(a.interfaces(), ["eth0"]);
    assert_eq!(seen(&a, &b, b.ipv4("eth0")), a.ipv4("eth0"));
    let [id, eth0, net1] = [b.name(), "eth0", "net1"];
    succeed(second.runner.gc(storage, &[(id, net1)]));
    succeed(second.runner.gc(cluster, &[(a.name(), eth0), (id, eth0)]));
    assert!(ping(&a, ip("10.200.1.1"), PATIENCE));
    succeed(second.runner.del(cluster, &a, "eth0"));
    assert_eq!(a.interfaces(), [""; 0]);
    assert_eq!(b.interfaces(), ["eth0", "net1"]);
    succeed(second.runner.del(storage, &b, "net1"));
    succeed(second.runner.del(cluster, &b, "eth0"));
    for network in &second.networks {
        assert_eq!(bench::leases(&second.node, network.name()), [""; 0]);
    }
}

/// In the place of tc-redirect-tap: what comes to the container's interface goes to another one, and
/// the other way round. `vm0` is the guest's, which a test moves to it.
const REDIRECT: &str = r#"
configuration=$(cat)
inside() { nsenter --net="$CNI_NETNS" "$@"; }
redirect() {
    inside tc qdisc add dev "$1" ingress
    inside tc filter add dev "$1" parent ffff: protocol all u32 match u32 0 0 \
        action mirred egress redirect dev "$2"
}
case $CNI_COMMAND in
VERSION) echo '{"cniVersion": "1.0.0", "supportedVersions": ["0.4.0", "1.0.0"]}' ;;
ADD)
    set -e
    inside ip link add tap0 up type veth peer name vm0
    redirect tap0 "$CNI_IFNAME"
    redirect "$CNI_IFNAME" tap0
    echo "$configuration" | sed 's/.*"prevResult"://; s/,"type":"tc-redirect-tap".*//'
    ;;
DEL) inside ip link delete tap0 2>/dev/null || true ;;
esac
"#;

/// A machine that has the addresses of the container's interface, and the interface has them not for
/// itself.
#[test]
fn firecracker() {
    let node = Node::new();
    let outside = Outside::new(&node, 1500);
    let network = Network::parse(&text(FIRECRACKER));
    node.install(&network);
    let path = bench::script(&node, "tc-redirect-tap", REDIRECT);
    let cnitool = |verb: &str, pod: &Pod| {
        node.cnitool(verb, network.name(), pod, &[("CNI_PATH", path.as_str())])
    };
    let (before, sandbox) = (State::of(&node), node.pod("sandbox"));
    let result = cnitool("add", &sandbox).result();
    let [address, gateway] =
        ["address", "gateway"].map(|key| result["ips"][0][key].as_str().expect("ptp gives both"));
    let machine = node.pod("machine");
    sandbox.ip("link set vm0 netns machine");
    let mac = sandbox.link("eth0").mac;
    machine.ip(&format!("link set vm0 up address {mac}"));
    machine.ip(&format!("address add {address} dev vm0"));
    machine.ip(&format!("route add default via {gateway}"));
    assert_eq!(seen(&machine, &outside, Outside::V4), Outside::NODE_V4);
    let own = machine.ipv4("vm0");
    assert_eq!(seen(&node, &machine, own), ip(gateway));
    for _ in 0..2 {
        cnitool("del", &sandbox).assert_silent();
        let kept = ["forward", "masq-", "exempt", "postrouting", "peers", "pods"];
        let kept = [
            &kept[..],
            &["/var/lib/cni/networks", "nft table inet podwire "],
        ]
        .concat();
        before.assert_nothing_left(&node, &kept);
        assert_eq!(bench::leases(&node, network.name()), [""; 0]);
    }
}
