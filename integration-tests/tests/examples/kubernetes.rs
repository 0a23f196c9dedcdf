// SPDX-License-Identifier: Apache-2.0
//! The examples below `conf-examples/kubernetes/`, as far as they need no API server: what the
//! agent reads, and the image. The manifests are given to the real one by `make e2e`, test
//! `manifests`.

use integration_tests::{Agent, Fleet, Network, PATIENCE, Stack, ping};

use crate::text;

const NET_CONF: &str = "kubernetes/base/net-conf.json";
const TEMPLATE: &str = "kubernetes/base/10-podwire.conflist.template";
const DOCKERFILE: &str = "kubernetes/Dockerfile";

/// The files that this module tests, and those that `make e2e` does.
pub(crate) const TESTED: &[&str] = &[
    NET_CONF,
    TEMPLATE,
    DOCKERFILE,
    "kubernetes/base/cluster-role.yaml",
    "kubernetes/base/daemon-set.yaml",
    "kubernetes/base/kustomization.yaml",
    "kubernetes/base/namespace.yaml",
    "kubernetes/base/service-account.yaml",
    "kubernetes/from-flannel/daemon-set.yaml",
    "kubernetes/from-flannel/kube-flannel.patch.yaml",
    "kubernetes/from-flannel/kustomization.yaml",
];

/// Where this module has the files of the ConfigMap.
const FILES: &str = "/run/lab/podwire";

#[test]
fn the_agent_reads_what_the_config_map_holds() {
    let fleet = Fleet::new(2, Stack::V4);
    let conflist = format!("{FILES}/10-podwire.conflist");
    let mut agents = Vec::new();
    let pods = fleet.members.iter().map(|member| {
        let file = |name: &str, text: String| {
            let path = format!("{FILES}/{name}");
            member.node.write(&path, text);
            path
        };
        let nodes = file("nodes.json", fleet.nodes().to_string());
        // What the operator is told to write there.
        let own = text(NET_CONF).replace("10.244.0.0/16", Fleet::NETWORK[0]);
        let net_conf = file("net-conf.json", own);
        let template = file("template", text(TEMPLATE));
        let given = ["--nodes", &nodes, "--net-conf", &net_conf];
        let written = ["--conflist", &conflist, "--conflist-template", &template];
        let agent = Agent::converged(&member.node, &[&given[..], &written].concat());
        assert!(agent.says("wrote the conflist", PATIENCE));
        agents.push(agent);
        let network = Network::parse(&member.node.read(&conflist));
        assert_eq!(network.name(), "podwire");
        member.attach(&network)
    });
    let pods: Vec<_> = pods.collect();
    for (from, to) in [(0, 1), (1, 0)] {
        assert!(ping(&pods[from], pods[to].ipv4("eth0"), PATIENCE));
    }
}

/// There is no registry and no builder here that every machine has: what the file says is held
/// against what `make dist` makes.
#[test]
fn the_image_is_what_is_installed_and_nothing_else() {
    let text = text(DOCKERFILE);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let lines: Vec<_> = lines.collect();
    let expected = [
        "FROM scratch",
        "COPY . /",
        r#"ENTRYPOINT ["/usr/local/bin/podwired"]"#,
    ];
    assert_eq!(lines, expected);
}
