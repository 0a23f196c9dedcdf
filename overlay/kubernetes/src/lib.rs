// SPDX-License-Identifier: Apache-2.0
//! Kubernetes as the source of a list of nodes: what the cluster's Node objects say of its
//! overlay, and what this node says of itself there. On the wire of the API it is flannel's VXLAN
//! backend. No kernel.

pub mod annotations;
