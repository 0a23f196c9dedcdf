// SPDX-License-Identifier: Apache-2.0
//! Every file below `conf-examples/`, as it stands, driven by the CNI project's own runtime.

mod by_runtime;
mod kubernetes;
mod layer2;
mod limits;
mod overlay;
mod ports;
mod runtimes;
mod unit;

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use integration_tests::uml::with_vlan_filtering;
use integration_tests::{
    BRIEFLY, Network, Node, Outcome, PATIENCE, Place, Pod, State, bench, binaries, ping,
};
use serde_json::Value;

/// One test for each example, and their list.
macro_rules! examples {
    ($($test:ident: $file:literal, $drive:expr;)*) => {
        const TESTED: &[&str] = &[$($file),*];
        $(
            #[test]
            fn $test() {
                $drive($file);
            }
        )*
    };
}

examples! {
    kubernetes_the_hard_way: "kubernetes-the-hard-way/10-bridge.conf", routed;
    kubernetes_the_hard_way_loopback: "kubernetes-the-hard-way/99-loopback.conf", loopback;
    a_kubelets_network: "kubelet.conflist", routed;
    dual_stack: "dual-stack.conflist", routed;
    several_ranges: "several-ranges.conflist", routed;
    behind_a_firewall: "firewall.conflist", routed;
    layer_2: "layer2.conflist", layer2::plain;
    guarded_pods: "guarded.conflist", guarded;
    a_static_mac_and_ip: "static-mac-and-ip.conflist", static_mac_and_ip;
    limited_rates: "limited.conflist", limits::limited;
    ports_of_containerds_pods: "containerd.conflist", ports::led;
    pods_without_a_bridge: "ptp.conflist", |file| { routed(file); ports::led(file); };
    addresses_that_the_runtime_chooses: "addresses-by-the-runtime.conflist", by_runtime::addresses;
    a_tuned_interface: "tuning.conflist", by_runtime::tuned;
    vlan_access: "vlan-access.conflist", |file| with_vlan_filtering("vlan_access", || routed(file));
    vlan_trunk: "vlan-trunk.conflist", |file| with_vlan_filtering("vlan_trunk", || layer2::trunk(file));
}

fn directory() -> PathBuf {
    binaries::workspace().join("conf-examples")
}

/// What an example says.
fn text(file: &str) -> String {
    let text = fs::read_to_string(directory().join(file));
    text.unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Addresses of the node that only a default route leads to.
const BEYOND: [&str; 2] = ["198.51.100.1/32", "2001:db8:ffff::1/128"];

/// A node on which an example is installed under its own name.
struct Example {
    node: Node,
    network: Network,
    before: State,
}

impl Example {
    fn new(file: &str) -> Self {
        let text = text(file);
        let node = Node::new();
        let name = Path::new(file).file_name().expect("an example is a file");
        node.write(Path::new("/run/lab/net.d").join(name), &text);
        for address in BEYOND {
            give(&node, "lo", address);
        }
        let before = State::of(&node);
        let network = Network::parse(&text);
        Self {
            node,
            network,
            before,
        }
    }

    fn cnitool(&self, verb: &str, pod: &Pod, env: &[(&str, &str)]) -> Outcome {
        self.node.cnitool(verb, self.network.name(), pod, env)
    }

    fn bridge(&self) -> String {
        let configuration = bench::configuration(&self.network);
        configuration["bridge"]
            .as_str()
            .unwrap_or("no bridge")
            .to_owned()
    }

    /// A pod, attached; its result.
    fn attach(&self, name: &str, env: &[(&str, &str)]) -> (Pod, Value) {
        let pod = self.node.pod(name);
        let result = self.cnitool("add", &pod, env).result();
        assert_eq!(result["cniVersion"], self.network.version());
        (pod, result)
    }

    /// What a runtime does with pods that live, and then takes them away twice.
    fn end(&self, pods: &[&Pod], env: &[(&str, &str)]) {
        for pod in pods {
            if self.network.version() >= "0.4.0" {
                self.cnitool("check", pod, env).assert_silent();
            }
            self.cnitool("status", pod, env).assert_silent();
        }
        for pod in pods.iter().chain(pods) {
            self.cnitool("del", pod, env).assert_silent();
            assert_eq!(pod.interfaces(), [""; 0]);
        }
        self.cnitool("gc", pods[0], env).assert_silent();
        self.assert_nothing_left();
    }

    /// Of the network bridge, gateway, forwarding, rules and the directory of addresses remain; of
    /// its pods nothing.
    fn assert_nothing_left(&self) {
        let bridge = &*self.bridge();
        let kept = [bridge, "forward", "podwire", "/var/lib/cni", "/run/cni"];
        self.before.assert_nothing_left(&self.node, &kept);
        let state = State::of(&self.node);
        // The bridge has a port of its own, for a gateway in a VLAN.
        let ports = state.lines_with("veth").into_iter();
        let left: Vec<_> = ports.filter(|line| !line.contains(bridge)).collect();
        assert_eq!(left, [""; 0]);
        assert_eq!(bench::leases(&self.node, self.network.name()), [""; 0]);
        let files = state.lines_with("file /var/lib/cni/results");
        assert_eq!(files, [""; 0], "the runtime's own");
    }
}

fn addresses(result: &Value, key: &str) -> Vec<IpAddr> {
    let ips = result["ips"].as_array().into_iter().flatten();
    let texts = ips.filter_map(|ip| ip[key].as_str()?.split('/').next());
    texts
        .map(|text| text.parse().expect("an address"))
        .collect()
}

/// Pods that reach their gateways, each other and what is beyond, and are reached by the node.
fn routed(file: &str) {
    let example = Example::new(file);
    let ((a, first), (b, second)) = (example.attach("a", &[]), example.attach("b", &[]));
    let gateways = addresses(&first, "gateway");
    let others = addresses(&second, "address");
    assert!(
        !gateways.is_empty() && gateways.len() == others.len(),
        "{first}"
    );
    let beyond = BEYOND.map(|text| ip(text.split('/').next().unwrap_or(text)));
    let beyond = beyond.into_iter().filter(|address| {
        let same = |gateway: &IpAddr| gateway.is_ipv4() == address.is_ipv4();
        gateways.iter().any(same)
    });
    for address in gateways.iter().chain(&others).copied().chain(beyond) {
        assert!(ping(&a, address, PATIENCE), "{address}");
    }
    for address in others {
        assert!(ping(&example.node, address, PATIENCE), "{address}");
    }
    example.end(&[&a, &b], &[]);
}

/// Pods that reach their gateway, but not each other.
fn guarded(file: &str) {
    let example = Example::new(file);
    let ((a, first), (b, second)) = (example.attach("a", &[]), example.attach("b", &[]));
    for (pod, result) in [(&a, &first), (&b, &second)] {
        assert!(ping(pod, addresses(result, "gateway")[0], PATIENCE));
        assert!(pod.ip("link show eth0").contains("mtu 1400"));
    }
    assert!(!ping(&a, addresses(&second, "address")[0], BRIEFLY));
    example.end(&[&a, &b], &[]);
}

fn loopback(file: &str) {
    let example = Example::new(file);
    let (pod, result) = example.attach("a", &[]);
    assert_eq!(addresses(&result, "address"), ["127.0.0.1", "::1"].map(ip));
    assert!(ping(&pod, ip("127.0.0.1"), PATIENCE) && ping(&pod, ip("::1"), PATIENCE));
    example.end(&[&pod], &[]);
    assert!(!ping(&pod, ip("127.0.0.1"), BRIEFLY));
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn give(place: &Place, interface: &str, address: &str) {
    place.add_address(
        interface,
        address.parse().expect("an address with a prefix"),
    );
}

fn static_mac_and_ip(file: &str) {
    let example = Example::new(file);
    let arguments = r#"{"mac": "02:00:00:00:00:66", "ips": ["10.206.0.66/24"]}"#;
    let env = [("CAP_ARGS", arguments)];
    let (a, result) = example.attach("a", &env);
    let (b, _) = example.attach("b", &[]);
    assert_eq!(addresses(&result, "address"), [ip("10.206.0.66")]);
    assert_eq!(a.ipv4("eth0"), ip("10.206.0.66"));
    assert_eq!(a.link("eth0").mac.to_string(), "02:00:00:00:00:66");
    for address in [b.ipv4("eth0"), addresses(&result, "gateway")[0]] {
        assert!(ping(&a, address, PATIENCE), "{address}");
    }
    example.end(&[&a, &b], &env);
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("the directory is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn every_example_has_a_test() {
    for file in files(&directory()) {
        let name = file.strip_prefix(directory()).unwrap().to_str().unwrap();
        let tested = [
            TESTED,
            kubernetes::TESTED,
            overlay::TESTED,
            runtimes::TESTED,
            unit::TESTED,
        ];
        let tested = tested.concat();
        assert!(tested.contains(&name), "nothing tests {name}");
    }
}
