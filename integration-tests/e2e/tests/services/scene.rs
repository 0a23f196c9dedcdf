// SPDX-License-Identifier: Apache-2.0
//! Two nodes, a serving pod on each, a client beside the first one, and kube-proxy.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use e2e_tests::{Cluster, KubeProxy, PATIENCE, ProxyMode, Service};
use integration_tests::conntrack::{Flow, flows};
use integration_tests::{Agent, Echo, Fleet, Member, Place, Pod, Stack, ask_tcp, ask_udp};
use serde_json::{Value, json};

/// A cluster with pods, of which the first two serve.
pub(crate) struct Scene {
    _servers: Vec<Echo>,
    proxies: Vec<KubeProxy>,
    _agents: Vec<Agent>,
    pods: Vec<Pod>,
    pub(crate) cluster: Cluster,
}

/// What differs between scenes.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// By what kube-proxy makes its rules.
    pub(crate) mode: ProxyMode,
    /// Keys of the plugin `bridge` over those of the conflist.
    pub(crate) bridge: Value,
    /// The nodes' `bridge-nf-call-iptables` and `bridge-nf-call-ip6tables`.
    pub(crate) bridge_calls: bool,
    /// kube-proxy's arguments.
    pub(crate) proxy: Vec<String>,
}

impl From<ProxyMode> for Setting {
    /// As kubeadm makes clusters.
    fn from(mode: ProxyMode) -> Self {
        Self {
            mode,
            bridge: json!({}),
            bridge_calls: true,
            proxy: vec![format!("--cluster-cidr={}", Fleet::NETWORK.join(","))],
        }
    }
}

impl Scene {
    pub(crate) fn new(setting: &Setting) -> Self {
        let cluster = Cluster::new(2, Stack::Dual);
        let members = &cluster.fleet.members;
        for member in members {
            set_bridge_calls(member, setting.bridge_calls);
        }
        let agents: Vec<_> = members
            .iter()
            .map(|member| cluster.podwired(member, &[]))
            .collect();
        for agent in &agents {
            agent.wait_for_state("converged", PATIENCE, |state| {
                state["converged"] == true && state["peersProgrammed"] == json!(1)
            });
        }
        let attach = |member: &Member| {
            let network = cluster.network(member);
            member.attach(&network.with_at(0, &setting.bridge))
        };
        let [near, far] = [&members[0], &members[1]];
        let pods: Vec<_> = [near, far, near].map(attach).into();
        let proxies = members
            .iter()
            .map(|member| cluster.kube_proxy(member, setting.mode, &setting.proxy));
        Self {
            _servers: pods[..2].iter().flat_map(serve).collect(),
            proxies: proxies.collect(),
            _agents: agents,
            pods,
            cluster,
        }
    }

    /// The node with the client.
    pub(crate) fn node(&self) -> &Member {
        &self.cluster.fleet.members[0]
    }

    /// The node without it.
    pub(crate) fn other_node(&self) -> &Member {
        &self.cluster.fleet.members[1]
    }

    /// The serving pod beside the client.
    pub(crate) fn near(&self) -> &Pod {
        &self.pods[0]
    }

    /// The serving pod on the other node.
    pub(crate) fn far(&self) -> &Pod {
        &self.pods[1]
    }

    /// A pod that asks.
    pub(crate) fn client(&self) -> &Pod {
        &self.pods[2]
    }

    /// A new Service with `keys` in its specification and these pods, that both nodes know.
    pub(crate) fn service(&self, name: &str, keys: &Value, pods: &[&Pod]) -> Service {
        let service = Service::create(&self.cluster.kubernetes, name, keys);
        service.serve_by(&self.cluster.kubernetes, &self.placed(pods));
        self.wait_for(&service, pods);
        service
    }

    /// Gives a Service these pods and no others, and waits until both nodes know.
    pub(crate) fn replace_pods(&self, service: &Service, pods: &[&Pod], not: &Pod) {
        service.serve_by_others(&self.cluster.kubernetes, &self.placed(pods));
        for (proxy, member) in self.proxies.iter().zip(&self.cluster.fleet.members) {
            proxy.wait_for_rules(member, "the old pod is gone", |rules| {
                let mut old = not.all_addresses().into_iter();
                !old.any(|address| rules.contains(&address.to_string()))
            });
        }
        self.wait_for(service, pods);
    }

    fn wait_for(&self, service: &Service, pods: &[&Pod]) {
        let pods = pods.iter().flat_map(|pod| pod.all_addresses());
        let addresses: Vec<_> = pods.chain(service.addresses.iter().copied()).collect();
        for (proxy, member) in self.proxies.iter().zip(&self.cluster.fleet.members) {
            proxy.wait_for_rules(member, &service.name, |rules| {
                let mut texts = addresses.iter().map(IpAddr::to_string);
                rules.contains(&service.name) && texts.all(|text| rules.contains(&text))
            });
        }
    }

    fn placed<'a>(&'a self, pods: &[&'a Pod]) -> Vec<(&'a Member, &'a Pod)> {
        let place = |pod: &&'a Pod| {
            let far = self.other_node().pod_cidrs();
            let is_far = far[0].contains(pod.ipv4("eth0"));
            (
                if is_far {
                    self.other_node()
                } else {
                    self.node()
                },
                *pod,
            )
        };
        pods.iter().map(place).collect()
    }
}

/// A pod's server on each of its addresses.
pub(crate) fn serve(pod: &Pod) -> Vec<Echo> {
    let addresses = pod.all_addresses().into_iter();
    addresses
        .map(|address| Echo::start(pod, address, Service::TARGET))
        .collect()
}

/// Sets whether packets that a node's bridges forward pass its netfilter.
pub(crate) fn set_bridge_calls(member: &Member, whether: bool) {
    for family in ["ip", "ip6"] {
        let setting = format!("/proc/sys/net/bridge/bridge-nf-call-{family}tables");
        member.node.write(setting, u8::from(whether).to_string());
    }
}

/// Asks a Service at its address by TCP and by UDP, and returns whom its pod saw, which is the same.
///
/// # Panics
/// When there is no answer, or the two differ.
pub(crate) fn seen_by(client: &Place, address: IpAddr) -> IpAddr {
    let tcp = ask_tcp(client, SocketAddr::new(address, Service::HTTP));
    let udp = ask_udp(client, SocketAddr::new(address, Service::DNS));
    let [tcp, udp] = [("TCP", tcp), ("UDP", udp)].map(|(protocol, seen)| {
        seen.unwrap_or_else(|error| panic!("asking {address} by {protocol}: {error}"))
    });
    assert_eq!(tcp.ip(), udp.ip(), "asking {address}");
    tcp.ip()
}

/// The flows that a member tracks to an address, before any translation.
pub(crate) fn flows_to(member: &Member, address: IpAddr) -> Vec<Flow> {
    let mut flows = flows(&member.node);
    flows.retain(|flow| flow.destination == address);
    flows
}

/// To which pods those flows have been led.
pub(crate) fn chosen(flows: &[Flow]) -> BTreeSet<IpAddr> {
    flows.iter().map(|flow| flow.reply_source).collect()
}

/// The addresses that a member has in the pods' networks on the way to its own pods: those of its
/// bridge.
pub(crate) fn bridge_addresses(member: &Member) -> Vec<IpAddr> {
    let networks = member.node.addresses("cni0").into_iter();
    networks.map(|network| network.ip()).collect()
}

/// And on the way to those of others: the addresses of its VXLAN devices.
pub(crate) fn vteps(member: &Member) -> Vec<IpAddr> {
    let cidrs = member.pod_cidrs().into_iter();
    cidrs.map(|cidr| cidr.network()).collect()
}

/// Makes of a function of the mode two tests.
#[macro_export]
macro_rules! in_both_modes {
    ($($test:ident),+ $(,)?) => {
        mod by_iptables {
            $(#[test]
            fn $test() {
                super::$test(e2e_tests::ProxyMode::Iptables);
            })+
        }
        mod by_nftables {
            $(#[test]
            fn $test() {
                super::$test(e2e_tests::ProxyMode::Nftables);
            })+
        }
    };
}
