// SPDX-License-Identifier: Apache-2.0
//! What is below `conf-examples/kubernetes`, taken by the real kustomize and the real API server as
//! it stands, and its pods, run as a kubelet has them run.

mod accepted;
mod container;
mod from_flannel;
mod kustomize;
mod role;
mod runs;
mod sandbox;
