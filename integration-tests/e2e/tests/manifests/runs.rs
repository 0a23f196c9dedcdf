// SPDX-License-Identifier: Apache-2.0
//! The pods of the base do what they are for, with the rights that they have.

use e2e_tests::{ControlPlane, Kubernetes, PATIENCE, node};
use integration_tests::binaries::PLUGINS;
use integration_tests::{Fleet, Member, Network, Program, Runner, Stack, ping};
use serde_json::Value;

use crate::container::word;
use crate::kustomize::{BASE, build, create, the};
use crate::sandbox::{Pod, on_host};

/// A cluster in which the base is applied, with the fleet's network in its ConfigMap as an operator
/// writes it there.
pub(crate) struct Applied {
    pub(crate) kubernetes: Kubernetes,
    pub(crate) control_plane: ControlPlane,
    pub(crate) fleet: Fleet,
    pub(crate) objects: Vec<Value>,
}

impl Applied {
    pub(crate) fn new(members: u8, args: &[&str]) -> Self {
        let fleet = Fleet::new(members, Stack::V4);
        let control_plane = ControlPlane::with_args(&fleet, args);
        let kubernetes = control_plane.client();
        let mut objects = build(BASE);
        let map = objects
            .iter_mut()
            .find(|object| object["kind"] == "ConfigMap");
        let net_conf = &mut map.expect("there is a ConfigMap")["data"]["net-conf.json"];
        *net_conf = word(net_conf)
            .replace("10.244.0.0/16", Fleet::NETWORK[0])
            .into();
        create(&kubernetes, &objects);
        for member in &fleet.members {
            let object = node(&member.name, &member.pod_cidrs(), &member.underlay());
            kubernetes.create_node(&object);
        }
        Self {
            kubernetes,
            control_plane,
            fleet,
            objects,
        }
    }

    /// What the DaemonSet's controller and a kubelet make of it on a node.
    pub(crate) fn with_pod<T>(&self, member: &Member, f: impl FnOnce(&Pod<'_>) -> T) -> T {
        let spec = &the(&self.objects, "DaemonSet")["spec"]["template"]["spec"];
        let account = word(&spec["serviceAccountName"]);
        f(&Pod {
            member,
            spec,
            configuration: the(&self.objects, "ConfigMap"),
            api: self.control_plane.address(),
            authority: self.control_plane.authority.certificate(),
            token: self.kubernetes.token("podwire", account),
        })
    }

    /// Runs it until it says that it is ready.
    pub(crate) fn run(&self, member: &Member) -> Program {
        self.with_pod(member, |pod| {
            let program = pod.start();
            let ready = || pod.probe("readinessProbe");
            let became = member.node.eventually(PATIENCE, ready);
            assert!(became.is_some(), "not ready:\n{}", program.log());
            assert!(pod.probe("livenessProbe"), "{}", program.log());
            program
        })
    }
}

/// The network that the runtime of a node finds, and the plugins that it executes.
fn network(member: &Member) -> (Network, Runner) {
    let directory = on_host("/etc/cni/net.d");
    let conflist = directory.join("10-podwire.conflist");
    let network = Network::parse(&member.node.read(conflist));
    assert_eq!(
        member.node.list(&directory).len(),
        1,
        "nothing lies beside it"
    );
    let plugins = on_host("/opt/cni/bin");
    assert_eq!(member.node.list(&plugins), PLUGINS);
    (network, Runner::with_plugins(&member.node, plugins))
}

#[test]
fn pods_of_nodes_with_the_daemon_set_reach_each_other() {
    let applied = Applied::new(2, &[]);
    let members = &applied.fleet.members;
    let agents: Vec<_> = members.iter().map(|member| applied.run(member)).collect();
    let pods: Vec<_> = members
        .iter()
        .map(|member| {
            let (network, runner) = network(member);
            let pod = runner.attach(&network, &member.node);
            runner.check(&network, &pod, "eth0").unwrap();
            pod
        })
        .collect();
    for (from, to) in [(0, 1), (1, 0)] {
        let address = pods[to].ipv4("eth0");
        assert!(
            ping(&pods[from], address, PATIENCE),
            "{}",
            agents[from].log()
        );
    }
    for (member, agent) in members.iter().zip(&agents) {
        let node = applied.kubernetes.node(&member.name).unwrap();
        let conditions = node["status"]["conditions"].as_array().unwrap();
        let available = conditions
            .iter()
            .find(|it| it["type"] == "NetworkUnavailable");
        assert_eq!(available.unwrap()["status"], "False", "{}", agent.log());
        // Nothing that it cannot do was tried.
        for word in ["denied", "Read-only", "not permitted", "forbidden"] {
            assert!(!agent.log().contains(word), "{}", agent.log());
        }
    }
    // The overlay outlives the pod, and the next one finds what it needs.
    for (agent, member) in agents.into_iter().zip(members) {
        assert!(agent.terminate().status.success());
        assert!(
            member
                .node
                .list("/run/podwire")
                .contains(&"overlay.json".to_owned())
        );
        assert_eq!(
            member.node.list(on_host("/var/lib/podwire")),
            ["nodes.json"]
        );
    }
    assert!(ping(&pods[0], pods[1].ipv4("eth0"), PATIENCE));
}
