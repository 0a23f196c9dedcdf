// SPDX-License-Identifier: Apache-2.0
//! The laboratory with a real control plane: kube-apiserver and etcd on a host of the nodes'
//! underlay, the real flanneld, kube-proxy and `podwired` on the nodes, and somebody between an agent
//! and the API server who disturbs what they say; and containerd or podman on a node of its own.
//!
//! As the laboratory itself it panics when something of its own can't be built.

mod accounts;
mod authority;
mod calls;
mod cgroup;
mod cluster;
mod containerd;
mod control_plane;
mod flanneld;
mod image;
mod joined;
mod kube_proxy;
mod kubeconfig;
mod kubernetes;
mod meddler;
mod objects;
mod podman;
mod rights;
mod services;

use std::time::Duration;

pub use authority::{Authority, Certified};
pub use calls::{Call, Gate, Moment, calls, forget_calls};
pub use cluster::{ACCOUNT, Cluster, NAMESPACE};
pub use containerd::{Containerd, PodConfig, Release, conflist_of};
pub use control_plane::ControlPlane;
pub use flanneld::{Flanneld, Rules, delegated, flannel_pod, subnet_env};
pub use image::{IMAGE, SERVER, image};
pub use joined::{
    assert_joined, overlay_routes, peer_routes, wait_for_peers, wait_for_routes,
    wait_long_for_routes,
};
pub use kube_proxy::{KubeProxy, ProxyMode};
pub use kubeconfig::{Kubeconfig, User};
pub use kubernetes::Kubernetes;
pub use meddler::{Asked, Meddler, Mischief};
pub use objects::{fake_node, node, prefixed};
pub use podman::Podman;
pub use rights::{did_not_run, root_of_the_machine};
pub use services::Service;

/// How long a test waits for what must come. It comes at once; the rest is for a loaded machine, on
/// which a control plane and flanneld start slowly.
pub const PATIENCE: Duration = Duration::from_secs(40);
