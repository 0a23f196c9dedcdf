// SPDX-License-Identifier: Apache-2.0
//! The pod of `from-flannel` takes a node over on which the real flanneld was, with flannel's
//! conflist and its pods.

use e2e_tests::{ControlPlane, Flanneld, PATIENCE, Rules, User, flannel_pod, node};
use integration_tests::{Fleet, Network, Runner, Stack, ping};
use serde_json::{Value, json};

use crate::container::word;
use crate::kustomize::{FROM_FLANNEL, build, create, create_kube_flannel, the};
use crate::sandbox::{Pod, on_host};

/// kube-flannel's, without the plugin for ports.
fn conflist() -> Network {
    Network::new(cni_conf())
}

/// As flannel's ConfigMap has it.
fn cni_conf() -> Value {
    json!({
        "name": "cbr0",
        "cniVersion": "0.3.1",
        "plugins": [{"type": "flannel", "delegate": {"hairpinMode": true, "isDefaultGateway": true}}],
    })
}

#[test]
fn a_node_of_flannels_is_taken_over_by_the_manifests() {
    let fleet = Fleet::new(2, Stack::V4);
    let control_plane = ControlPlane::start(&fleet);
    let kubernetes = control_plane.client();
    let net_conf = Flanneld::configuration(Stack::V4, Rules::Nftables);
    create_kube_flannel(&kubernetes, &net_conf);
    let objects = build(FROM_FLANNEL);
    create(&kubernetes, &objects);
    let flannelds: Vec<_> = fleet
        .members
        .iter()
        .map(|member| {
            kubernetes.create_node(&node(&member.name, &member.pod_cidrs(), &member.underlay()));
            let token = kubernetes.token("kube-flannel", "podwire");
            let kubeconfig = control_plane.kubeconfig(User::Token(token));
            Flanneld::start(member, &net_conf, &kubeconfig, &["--ip-masq"])
        })
        .collect();
    let old: Vec<_> = fleet.members.iter().map(flannel_pod).collect();
    let [taken, other] = [&fleet.members[0], &fleet.members[1]];
    let mut flannelds = flannelds.into_iter();
    assert!(flannelds.next().unwrap().terminate().status.success());

    let spec = &the(&objects, "DaemonSet")["spec"]["template"]["spec"];
    let configuration = json!({
        "metadata": {"name": "kube-flannel-cfg"},
        "data": {"net-conf.json": net_conf.to_string(), "cni-conf.json": cni_conf().to_string()},
    });
    let pod = Pod {
        member: taken,
        spec,
        configuration: &configuration,
        api: control_plane.address(),
        authority: control_plane.authority.certificate(),
        token: kubernetes.token("kube-flannel", word(&spec["serviceAccountName"])),
    };
    let agent = pod.start();
    let ready = taken
        .node
        .eventually(PATIENCE, || pod.probe("readinessProbe"));
    assert!(ready.is_some(), "{}", agent.log());
    // On a node on which flannel's own container never wrote one, there would be none else.
    let written = taken
        .node
        .read(on_host("/etc/cni/net.d/10-flannel.conflist"));
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), cni_conf());
    let runner = Runner::with_plugins(&taken.node, on_host("/opt/cni/bin"));
    let new = runner.attach(&conflist(), &taken.node);
    for (from, to) in [
        (&new, &old[1]),
        (&old[1], &new),
        (&old[0], &old[1]),
        (&old[0], &new),
    ] {
        assert!(ping(from, to.ipv4("eth0"), PATIENCE), "{}", agent.log());
    }
    // A pod of before goes as well, though its attachment was by another executable.
    runner.del(&conflist(), &new, "eth0").unwrap();
    assert_eq!(new.interfaces(), [""; 0]);
    assert!(
        taken
            .node
            .list("/run/flannel")
            .contains(&"subnet.env".to_owned())
    );
    assert!(other.node.ip("route").contains("flannel.1"));
    drop(flannelds);
}
