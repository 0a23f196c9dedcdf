// SPDX-License-Identifier: Apache-2.0
//! Many pods at once, as after a boot.

use std::collections::BTreeSet;
use std::thread;

use e2e_tests::{PodConfig, conflist_of};

use crate::lab::{Lab, Setting};

/// How many.
const PODS: u16 = 20;

pub(crate) fn twenty_pods_at_once(setting: Setting<'_>) {
    let lab = Lab::new(setting.containerd(&conflist_of("install-cni")));
    let containerd = &lab.containerd;
    let run = |number: u16| {
        let pod = PodConfig::new(&format!("pod{number}"));
        containerd
            .run(&pod.with_port("TCP", 9000 + number, 80))
            .expect("the pod is run")
    };
    let sandboxes: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..PODS)
            .map(|number| scope.spawn(move || run(number)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a call panics for nobody"))
            .collect()
    });
    let addresses: BTreeSet<_> = sandboxes
        .iter()
        .flat_map(|sandbox| containerd.addresses(sandbox))
        .collect();
    assert_eq!(addresses.len(), 2 * usize::from(PODS), "{addresses:?}");
    thread::scope(|scope| {
        for sandbox in &sandboxes {
            scope.spawn(|| containerd.remove(sandbox));
        }
    });
    lab.assert_clean();
    lab.end();
}
