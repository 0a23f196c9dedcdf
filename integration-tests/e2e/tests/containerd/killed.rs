// SPDX-License-Identifier: Apache-2.0
//! containerd is killed while a plugin is at work, and comes back: the kubelet removes the pod that
//! it never got, and nothing is left of it.

use std::thread;

use e2e_tests::{Gate, Moment, PodConfig, conflist_of};

use crate::lab::{Lab, Setting};

/// The pod that all is about.
fn pod() -> PodConfig {
    PodConfig::new("pod").with_port("TCP", 8080, 80)
}

impl Lab {
    /// Lets a pod be made, and kills containerd when the call of a plugin has come to the gate.
    fn kill_while_made(&self, gate: &mut Gate) {
        thread::scope(|scope| {
            let running = scope.spawn(|| self.containerd.run(&pod()));
            gate.wait();
            self.containerd.kill();
            let answer = running.join().expect("a call panics for nobody");
            answer.expect_err("containerd is dead");
        });
    }

    /// Removes all pods but the one that stays, as a kubelet does that finds them.
    fn remove_all(&self) {
        let sandboxes = self.containerd.sandboxes();
        assert_eq!(sandboxes.len(), 2, "containerd knows the pod that it began");
        for sandbox in sandboxes.iter().filter(|id| **id != self.keeper) {
            self.containerd.remove(sandbox);
        }
    }
}

pub(crate) fn while_a_pod_is_made(setting: Setting<'_>) {
    let mut lab = Lab::new(setting.containerd(&conflist_of("install-cni")));
    for (plugin, moment) in [
        ("bridge", Moment::Before),
        ("host-local", Moment::After),
        ("bridge", Moment::After),
        ("portmap", Moment::Before),
        ("portmap", Moment::After),
    ] {
        eprintln!("killed at {plugin}, {moment:?}");
        let mut gate = Gate::new(&lab.containerd.node, "ADD", plugin, moment);
        lab.kill_while_made(&mut gate);
        gate.open();
        lab.containerd.wait_for_plugins();
        lab.containerd.restart();
        lab.remove_all();
        lab.assert_clean();
    }
    lab.assert_pods_serve();
    lab.end();
}

pub(crate) fn while_a_pod_is_unmade(setting: Setting<'_>) {
    let mut lab = Lab::new(setting.containerd(&conflist_of("install-cni")));
    for (plugin, moment) in [
        ("portmap", Moment::Before),
        ("bridge", Moment::Before),
        ("host-local", Moment::After),
        ("bridge", Moment::After),
    ] {
        eprintln!("killed at {plugin}, {moment:?}");
        let sandbox = lab.containerd.run_server(&pod());
        let mut gate = Gate::new(&lab.containerd.node, "DEL", plugin, moment);
        thread::scope(|scope| {
            let stopping = scope.spawn(|| lab.containerd.stop(&sandbox));
            gate.wait();
            lab.containerd.kill();
            let answer = stopping.join().expect("a call panics for nobody");
            answer.expect_err("containerd is dead");
        });
        gate.open();
        lab.containerd.wait_for_plugins();
        lab.containerd.restart();
        lab.remove_all();
        lab.assert_clean();
    }
    lab.assert_pods_serve();
    lab.end();
}

/// What goes on without its runtime may be late: the pod is gone before it has its network.
pub(crate) fn a_plugin_that_comes_too_late(setting: Setting<'_>) {
    let points = [("bridge", Moment::Before), ("host-local", Moment::After)];
    late(setting, &points);
}

/// The reference's `portmap` makes its rules for a sandbox that is no more, and there they stay.
pub(crate) fn port_mappings_that_come_too_late(setting: Setting<'_>) {
    late(setting, &[("portmap", Moment::Before)]);
}

fn late(setting: Setting<'_>, points: &[(&str, Moment)]) {
    let mut lab = Lab::new(setting.containerd(&conflist_of("install-cni")));
    for (plugin, moment) in points {
        eprintln!("late at {plugin}, {moment:?}");
        let mut gate = Gate::new(&lab.containerd.node, "ADD", plugin, *moment);
        lab.kill_while_made(&mut gate);
        lab.containerd.restart();
        lab.remove_all();
        gate.open();
        lab.containerd.wait_for_plugins();
        lab.assert_clean();
    }
    lab.assert_pods_serve();
    lab.end();
}
