// SPDX-License-Identifier: Apache-2.0
//! containerd, Debian's and the current one, runs pods: with the configurations that containerd's and
//! Kubernetes' own scripts write, unchanged. The scenarios are proved with the CNI project's own
//! plugins, which play all but those that are about what those lack.

mod chains;
mod killed;
mod lab;
mod parallel;
mod serving;
mod status;

/// Scenarios with the plugins of one directory.
macro_rules! scenarios {
    ($by:ident, $plugins:path, [$($module:ident::$name:ident,)*]) => {
        mod $by {
            $(
                #[test]
                fn $name() {
                    let name = concat!(stringify!($by), "::", stringify!($name));
                    crate::lab::with_both(name, $plugins().as_ref(), crate::$module::$name);
                }
            )*
        }
    };
}

scenarios!(
    own,
    integration_tests::binaries::plugins,
    [
        chains::kubernetes_local_cluster,
        chains::nerdctl,
        chains::limited_by_annotations,
        killed::while_a_pod_is_made,
        killed::while_a_pod_is_unmade,
        killed::a_plugin_that_comes_too_late,
        killed::port_mappings_that_come_too_late,
        parallel::twenty_pods_at_once,
        serving::a_pod_serves_and_leaves_nothing,
        serving::what_containerd_calls,
        status::the_kubelet_hears_why_the_network_is_not_ready,
        status::below_1_1_0_nobody_is_asked,
    ]
);

scenarios!(
    reference,
    integration_tests::binaries::go_plugins,
    [
        chains::kubernetes_local_cluster,
        chains::nerdctl,
        chains::limited_by_annotations,
        killed::while_a_pod_is_made,
        killed::while_a_pod_is_unmade,
        killed::a_plugin_that_comes_too_late,
        parallel::twenty_pods_at_once,
        serving::a_pod_serves_and_leaves_nothing,
        serving::what_containerd_calls,
    ]
);
