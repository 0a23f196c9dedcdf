// SPDX-License-Identifier: Apache-2.0
//! A fleet with a control plane, and a Node for each member.

use integration_tests::{Agent, Fleet, Member, Network, Pod, Stack};
use ipnetwork::IpNetwork;
use serde_json::{Value, json};

use crate::control_plane::ControlPlane;
use crate::flanneld::{Flanneld, Rules};
use crate::kube_proxy::{KubeProxy, ProxyMode};
use crate::kubeconfig::{Kubeconfig, User};
use crate::kubernetes::Kubernetes;
use crate::objects::node;

/// The namespace of the agents' service account.
pub const NAMESPACE: &str = "podwire";
/// The name of the agents' service account, and of its role.
pub const ACCOUNT: &str = "podwire";
/// Where an agent reads how to reach the API.
const KUBECONFIG: &str = "/run/lab/kubeconfig";
/// Where an agent writes the conflist.
const CONFLIST: &str = "/run/lab/net.d/10-podwire.conflist";

/// Members, a control plane, and a client that may do everything.
#[derive(Debug)]
pub struct Cluster {
    /// Whoever may do everything.
    pub kubernetes: Kubernetes,
    /// The control plane.
    pub control_plane: ControlPlane,
    /// The nodes' machines.
    pub fleet: Fleet,
}

impl Cluster {
    /// Where an agent reads its token.
    pub const TOKEN: &str = "/run/lab/token";

    /// A control plane and `count` members, each of which has a Node.
    ///
    /// # Panics
    /// When the control plane does not become ready.
    pub fn new(count: u8, stack: Stack) -> Self {
        let cluster = Self::unregistered(count, stack, &[]);
        for member in &cluster.fleet.members {
            cluster.register(member);
        }
        cluster
    }

    /// As [`Cluster::new`], without a Node, and with more arguments of kube-apiserver's.
    ///
    /// # Panics
    /// When the control plane does not become ready.
    pub fn unregistered(count: u8, stack: Stack, args: &[&str]) -> Self {
        let fleet = Fleet::new(count, stack);
        let control_plane = ControlPlane::with_args(&fleet, args);
        let kubernetes = control_plane.client();
        kubernetes.create_account(NAMESPACE, ACCOUNT, &rules());
        Self {
            kubernetes,
            control_plane,
            fleet,
        }
    }

    /// Creates a member's Node, as its kubelet and the control plane would together: with its pod
    /// CIDRs and its underlay addresses.
    ///
    /// # Panics
    /// When there is one.
    pub fn register(&self, member: &Member) {
        let node = node(&member.name, &member.pod_cidrs(), &member.underlay());
        self.kubernetes.create_node(&node);
    }

    /// A kubeconfig of the agents' service account that names a new token.
    pub fn kubeconfig(&self) -> Kubeconfig {
        let token = self.kubernetes.token(NAMESPACE, ACCOUNT);
        self.control_plane.kubeconfig(User::Token(token))
    }

    /// Writes a member's kubeconfig and the file with a new token that it names.
    pub fn write_kubeconfig(&self, member: &Member) {
        self.renew_token(member);
        let user = User::TokenFile(Self::TOKEN.to_owned());
        let kubeconfig = self.control_plane.kubeconfig(user);
        member.node.write(KUBECONFIG, kubeconfig.text());
    }

    /// Writes a new token for a member's agent, as kubelet does.
    pub fn renew_token(&self, member: &Member) {
        let token = self.kubernetes.token(NAMESPACE, ACCOUNT);
        member.node.write(Self::TOKEN, token);
    }

    /// Starts `podwired run --kubernetes` in a member, with a new token, and with `args` besides.
    ///
    /// # Panics
    /// When it can't be executed.
    pub fn podwired(&self, member: &Member, args: &[&str]) -> Agent {
        self.write_kubeconfig(member);
        self.podwired_again(member, args)
    }

    /// As [`Cluster::podwired`], with a kubeconfig of the test's.
    ///
    /// # Panics
    /// When it can't be executed.
    pub fn podwired_by(&self, member: &Member, kubeconfig: &Kubeconfig, args: &[&str]) -> Agent {
        member.node.write(KUBECONFIG, kubeconfig.text());
        self.podwired_again(member, args)
    }

    /// As [`Cluster::podwired`], with the kubeconfig and the token that are there.
    ///
    /// # Panics
    /// When it can't be executed.
    pub fn podwired_again(&self, member: &Member, args: &[&str]) -> Agent {
        let own = [
            "--kubernetes",
            "--kubeconfig",
            KUBECONFIG,
            "--start-jitter",
            "0",
        ];
        let own = own.into_iter().chain(["--node", &member.name]);
        let own = own.chain(["--conflist", CONFLIST]);
        let network: Vec<_> = self
            .fleet
            .network()
            .iter()
            .map(IpNetwork::to_string)
            .collect();
        let network = network.iter().flat_map(|network| ["--network", network]);
        let args: Vec<_> = own.chain(network).chain(args.iter().copied()).collect();
        Agent::start(&member.node, &args)
    }

    /// The network of a member whose `podwired` has converged, by the conflist that it has written.
    ///
    /// # Panics
    /// When there is no conflist.
    pub fn network(&self, member: &Member) -> Network {
        Network::parse(&member.node.read(CONFLIST))
    }

    /// A new pod on a member whose `podwired` has converged, by the conflist that it has written.
    ///
    /// # Panics
    /// When there is no conflist, or the pod can't be attached.
    pub fn pod(&self, member: &Member) -> Pod {
        member.attach(&self.network(member))
    }

    /// Starts kube-proxy in a member, with a service account of its own; see [`KubeProxy::start`].
    ///
    /// # Panics
    /// When it can't be executed.
    pub fn kube_proxy(&self, member: &Member, mode: ProxyMode, args: &[String]) -> KubeProxy {
        let account = format!("kube-proxy-{}", member.name);
        self.kubernetes
            .create_account(NAMESPACE, &account, &proxy_rules());
        let token = self.kubernetes.token(NAMESPACE, &account);
        let kubeconfig = self.control_plane.kubeconfig(User::Token(token));
        KubeProxy::start(member, &kubeconfig, mode, args)
    }

    /// Starts flanneld in a member and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready.
    pub fn flanneld(&self, member: &Member, rules: Rules, args: &[&str]) -> Flanneld {
        let configuration = Flanneld::configuration(self.fleet.stack(), rules);
        Flanneld::start(member, &configuration, &self.kubeconfig(), args)
    }
}

/// What flannel's service account may do, which has to do for ours.
fn rules() -> Value {
    json!([
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["nodes/status"], "verbs": ["patch"]},
    ])
}

/// What kube-proxy may do by the role `system:node-proxier`.
fn proxy_rules() -> Value {
    json!([
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["services"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"],
         "verbs": ["list", "watch"]},
        {"apiGroups": ["networking.k8s.io"], "resources": ["servicecidrs"],
         "verbs": ["list", "watch"]},
        {"apiGroups": ["", "events.k8s.io"], "resources": ["events"],
         "verbs": ["create", "patch", "update"]},
    ])
}
