// SPDX-License-Identifier: Apache-2.0
//! The real flanneld, run in a node.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::process::Command;

use crate::PATIENCE;
use integration_tests::{Ended, Member, Network, Pod, Program, Runner, Stack, binaries};
use serde_json::{Value, json};

use crate::kubeconfig::Kubeconfig;

/// Where it reads its configuration.
const CONFIGURATION: &str = "/run/lab/net-conf.json";
/// Where it reads how to reach the API.
const KUBECONFIG: &str = "/run/lab/flannel.kubeconfig";
/// Where it writes what its CNI plugin reads.
const SUBNET: &str = "/run/flannel/subnet.env";

/// By what it makes its masquerade and forward rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// By iptables, as it does unless it is told otherwise.
    Iptables,
    /// By nftables.
    Nftables,
}

/// A running flanneld: a [`Program`] with a `subnet.env`. It is killed when it is dropped.
#[derive(Debug)]
pub struct Flanneld {
    program: Program,
}

impl Flanneld {
    /// Its `net-conf.json` for the fleet's networks: the backend `vxlan` as it is by default.
    pub fn configuration(stack: Stack, rules: Rules) -> Value {
        let [network, network_v6] = integration_tests::Fleet::NETWORK;
        let mut configuration = json!({
            "EnableIPv4": stack != Stack::V6,
            "EnableIPv6": stack != Stack::V4,
            "EnableNFTables": rules == Rules::Nftables,
            "Backend": {"Type": "vxlan"},
        });
        if stack != Stack::V6 {
            configuration["Network"] = network.into();
        }
        if stack != Stack::V4 {
            configuration["IPv6Network"] = network_v6.into();
        }
        configuration
    }

    /// Starts it in a member, whose Node has the member's name, with `args` after those that make
    /// it use Kubernetes, and waits until it is ready: until it has written `subnet.env`.
    ///
    /// # Panics
    /// When it does not become ready.
    pub fn start(
        member: &Member,
        configuration: &Value,
        kubeconfig: &Kubeconfig,
        args: &[&str],
    ) -> Self {
        let flanneld = Self::starting(member, configuration, kubeconfig, args);
        let ready = flanneld.says("flannel is ready", PATIENCE);
        assert!(ready, "flanneld is not ready:\n{}", flanneld.log());
        flanneld
    }

    /// As [`Flanneld::start`], without waiting.
    pub fn starting(
        member: &Member,
        configuration: &Value,
        kubeconfig: &Kubeconfig,
        args: &[&str],
    ) -> Self {
        let node = &member.node;
        node.write(CONFIGURATION, configuration.to_string());
        node.write(KUBECONFIG, kubeconfig.text());
        let mut command = Command::new(binaries::tool("cluster/flanneld"));
        command.arg("--kube-subnet-mgr").args([
            &format!("--net-config-path={CONFIGURATION}"),
            &format!("--kubeconfig-file={KUBECONFIG}"),
        ]);
        command.args(args).env("NODE_NAME", &member.name);
        Self {
            program: Program::start(node, &mut command),
        }
    }

    /// Ends it as kubelet does, by SIGTERM, and waits for its end.
    ///
    /// # Panics
    /// When it does not end.
    pub fn terminate(self) -> Ended {
        self.program.terminate()
    }
}

impl Deref for Flanneld {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.program
    }
}

/// What `subnet.env` of a member says.
///
/// # Panics
/// When there is none.
pub fn subnet_env(member: &Member) -> BTreeMap<String, String> {
    let text = member.node.read(SUBNET);
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// The network that flannel's CNI plugin makes of `subnet.env` with the conflist that flannel is
/// deployed with, for the CNI project's `bridge`.
///
/// # Panics
/// When there is no `subnet.env`.
pub fn delegated(member: &Member) -> Network {
    let env = subnet_env(member);
    let network = |key: &str| {
        let cidr = env.get(key)?.parse::<ipnetwork::IpNetwork>().ok()?;
        let network = ipnetwork::IpNetwork::new(cidr.network(), cidr.prefix());
        Some(network.expect("the length fits").to_string())
    };
    let subnets = ["FLANNEL_SUBNET", "FLANNEL_IPV6_SUBNET"].map(network);
    let subnets: Vec<_> = subnets.iter().flatten().map(String::as_str).collect();
    let ranges: Vec<_> = subnets
        .iter()
        .map(|subnet| json!([{"subnet": subnet}]))
        .collect();
    let networks = ["FLANNEL_NETWORK", "FLANNEL_IPV6_NETWORK"].map(|key| env.get(key));
    let routes: Vec<_> = networks
        .iter()
        .flatten()
        .map(|network| json!({"dst": network}))
        .collect();
    let mtu: u32 = env["FLANNEL_MTU"].parse().expect("an MTU is a number");
    let keys = json!({
        "cniVersion": "0.3.1",
        "mtu": mtu,
        "isDefaultGateway": true,
        "hairpinMode": true,
        "ipMasq": env["FLANNEL_IPMASQ"] != "true",
        "ipam": {"type": "host-local", "ranges": ranges, "routes": routes},
    });
    Network::of_bridge("cbr0", &[], keys)
}

/// A pod as a node of flannel's has it: attached to [`delegated`].
///
/// # Panics
/// When it can't be attached.
pub fn flannel_pod(member: &Member) -> Pod {
    // The CNI project's bridge does not wait until its own address is no duplicate.
    let detection = "/proc/sys/net/ipv6/conf/default/accept_dad";
    member.node.write(detection, "0");
    let runner = Runner::with_plugins(&member.node, binaries::go_plugins());
    runner.attach(&delegated(member), &member.node)
}
