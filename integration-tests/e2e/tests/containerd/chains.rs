// SPDX-License-Identifier: Apache-2.0
//! Chains of more plugins, as other projects write them.

use e2e_tests::{PodConfig, conflist_of};
use integration_tests::Network;
use serde_json::json;

use crate::lab::{Lab, Setting};

/// What kube-proxy has made on a node by the time that its first pod comes, as far as pods' host
/// ports need it.
const KUBE_PROXY: [&str; 5] = [
    "--new-chain KUBE-MARK-MASQ",
    "--append KUBE-MARK-MASQ --jump MARK --or-mark 0x4000",
    "--new-chain KUBE-POSTROUTING",
    "--append KUBE-POSTROUTING --match mark --mark 0x4000/0x4000 --jump MASQUERADE",
    "--append POSTROUTING --jump KUBE-POSTROUTING",
];

/// The cluster of Kubernetes' `local-up-cluster.sh`: ptp, host-local, and portmap with kube-proxy's
/// mark.
pub(crate) fn kubernetes_local_cluster(setting: Setting<'_>) {
    let containerd = setting.containerd(&conflist_of("local-up-cluster.sh"));
    for iptables in ["iptables", "ip6tables"] {
        for rule in KUBE_PROXY {
            let tool = |rule| {
                containerd
                    .node
                    .tool(iptables, &format!("--table nat {rule}"))
            };
            tool(rule);
        }
    }
    let lab = Lab::new(containerd);
    lab.assert_pods_serve();
    lab.end();
}

/// The four plugins of a network of nerdctl's: what `nerdctl network create` writes, but for its
/// labels. cri-tools' tests have the same four.
fn nerdctls() -> Network {
    Network::new(json!({
        "cniVersion": "1.0.0",
        "name": "bridge",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "nerdctl0",
                "isGateway": true,
                "ipMasq": true,
                "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
                    "ranges": [
                        [{"gateway": "10.4.0.1", "subnet": "10.4.0.0/24"}],
                        [{"gateway": "fd00:4::1", "subnet": "fd00:4::/64"}],
                    ],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": true}},
            {"type": "firewall", "ingressPolicy": "same-bridge"},
            {"type": "tuning"},
        ],
    }))
}

pub(crate) fn nerdctl(setting: Setting<'_>) {
    let lab = Lab::new(setting.containerd(&nerdctls().text()));
    lab.assert_pods_serve();
    lab.end();
}

/// Kubernetes' annotations become limits, if the network has the plugin `bandwidth`.
pub(crate) fn limited_by_annotations(setting: Setting<'_>) {
    let network = Network::parse(&conflist_of("install-cni"));
    let bandwidth = json!({"type": "bandwidth", "capabilities": {"bandwidth": true}});
    let lab = Lab::new(setting.containerd(&network.followed_by(bandwidth).text()));
    let containerd = &lab.containerd;
    let pod = PodConfig::new("pod")
        .with_annotation("kubernetes.io/ingress-bandwidth", "7M")
        .with_annotation("kubernetes.io/egress-bandwidth", "3M");
    let sandbox = containerd.run_server(&pod);
    let limits = containerd.node.tool("tc", "qdisc show");
    for rate in ["rate 7Mbit", "rate 3Mbit"] {
        let limited = limits.lines().filter(|line| line.contains(rate));
        let kinds: Vec<_> = limited.map(|line| line.starts_with("qdisc tbf")).collect();
        assert_eq!(kinds, [true], "{limits}");
    }
    containerd.remove(&sandbox);
    let limits = containerd.node.tool("tc", "qdisc show");
    assert!(!limits.contains("tbf"), "{limits}");
    lab.assert_clean();
    lab.end();
}
