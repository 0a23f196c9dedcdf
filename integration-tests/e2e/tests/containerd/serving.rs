// SPDX-License-Identifier: Apache-2.0
//! A pod's life: it is run, serves, is stopped and removed, and leaves nothing.

use e2e_tests::{PodConfig, calls, conflist_of, forget_calls};

use crate::lab::{Lab, Setting};

pub(crate) fn a_pod_serves_and_leaves_nothing(setting: Setting<'_>) {
    let lab = Lab::new(setting.containerd(&conflist_of("install-cni")));
    lab.assert_pods_serve();
    lab.end();
}

pub(crate) fn what_containerd_calls(setting: Setting<'_>) {
    let lab = Lab::new(setting.containerd(&conflist_of("install-cni")));
    let containerd = &lab.containerd;
    forget_calls(&containerd.node);
    let sandbox = containerd
        .run(&PodConfig::new("pod"))
        .expect("the pod is run");
    let made = calls(&containerd.node);
    containerd.stop(&sandbox).expect("it is stopped");
    let unmade = calls(&containerd.node).split_off(made.len());
    for (verb, calls) in [("ADD", &made), ("DEL", &unmade)] {
        let mut told: Vec<_> = calls
            .iter()
            .map(|call| [&*call.verb, &*call.plugin, &*call.version, &*call.interface])
            .collect();
        told.sort();
        assert_eq!(
            told,
            [
                [verb, "bridge", "1.0.0", "eth0"],
                [verb, "host-local", "1.0.0", "eth0"],
                [verb, "loopback", "0.3.1", "lo"],
                [verb, "portmap", "1.0.0", "eth0"],
            ]
        );
        for call in calls {
            assert_eq!(call.container, sandbox);
            assert!(call.args.contains("K8S_POD_NAME=pod"), "{call:?}");
            assert!(call.args.contains("IgnoreUnknown=1"), "{call:?}");
        }
    }
    containerd.remove(&sandbox);
    lab.assert_clean();
    lab.end();
}
