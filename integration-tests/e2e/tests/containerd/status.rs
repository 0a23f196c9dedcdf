// SPDX-License-Identifier: Apache-2.0
//! What the runtime tells the kubelet of the network.

use e2e_tests::{PodConfig, Release, calls, conflist_of};

use crate::lab::Setting;

/// The conflist of containerd's, in the version of the protocol that has STATUS.
fn conflist() -> String {
    conflist_of("install-cni").replace("\"1.0.0\"", "\"1.1.0\"")
}

/// Of containerd 2, whose libcni knows that version.
pub(crate) fn the_kubelet_hears_why_the_network_is_not_ready(setting: Setting<'_>) {
    if setting.release == Release::Debian {
        return refused_by_1_6(setting);
    }
    let containerd = setting.containerd(&conflist());
    let node = &containerd.node;
    node.ip("link add cni0 type veth peer name other");
    let told = containerd.network_ready().expect_err("the bridge is none");
    assert!(told.contains("cni0"), "{told}");
    node.ip("link delete cni0");
    containerd.network_ready().expect("nobody says no");
    let sandbox = containerd.run_server(&PodConfig::new("pod"));
    containerd.remove(&sandbox);
    let asked = calls(node);
    for plugin in ["bridge", "host-local", "portmap"] {
        let mut asked = asked.iter().filter(|call| call.verb == "STATUS");
        let asked = asked.any(|call| call.plugin == plugin && call.version == "1.1.0");
        assert!(asked, "{plugin} is not asked");
    }
    let known = ["ADD", "DEL", "STATUS"];
    let others = asked.iter().filter(|call| !known.contains(&&*call.verb));
    assert_eq!(others.count(), 0, "{asked:?}");
}

/// containerd 1.6 can't read the result of that version, whoever's the plugins are.
fn refused_by_1_6(setting: Setting<'_>) {
    let containerd = setting.containerd(&conflist());
    containerd.network_ready().expect("nobody says no");
    let refused = containerd
        .run(&PodConfig::new("pod"))
        .expect_err("ADD fails");
    assert!(
        refused.contains("unsupported CNI result version \"1.1.0\""),
        "{refused}"
    );
}

/// Where the configuration is of a version below, a plugin that could not serve is found by ADD.
pub(crate) fn below_1_1_0_nobody_is_asked(setting: Setting<'_>) {
    let containerd = setting.containerd(&conflist_of("install-cni"));
    containerd
        .node
        .ip("link add cni0 type veth peer name other");
    containerd.network_ready().expect("nobody says no");
    let refused = containerd
        .run(&PodConfig::new("pod"))
        .expect_err("ADD fails");
    assert!(refused.contains("cni0"), "{refused}");
    let asked = calls(&containerd.node);
    let known = ["ADD", "DEL"];
    let others = asked.iter().filter(|call| !known.contains(&&*call.verb));
    assert_eq!(others.count(), 0, "{asked:?}");
}
