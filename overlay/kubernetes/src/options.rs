// SPDX-License-Identifier: Apache-2.0
//! What decides which API server is asked, and about which node.

use std::path::PathBuf;
use std::time::Duration;

use crate::annotations::Prefix;

/// How to follow a cluster's Nodes.
#[derive(Clone, Debug)]
pub struct Options {
    /// The kubeconfig that leads to the API server; none: the service account of the pod that this
    /// process runs in, or else the file that `$KUBECONFIG` names.
    pub kubeconfig: Option<PathBuf>,
    /// The prefix of the annotations.
    pub prefix: Prefix,
    /// The name of this node.
    pub node: String,
    /// The file that remembers what is known for the next start; none: nothing is remembered.
    pub cache: Option<PathBuf>,
    /// The first request is sent after a random part of this time, so that a cluster whose nodes
    /// all start at once does not ask at once.
    pub start_jitter: Duration,
}

/// Why a cluster's Nodes cannot be followed at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing says where the API server is.
    #[error(
        "no API server is known for node {node}: no kubeconfig is given, KUBECONFIG is not set, and this is not a pod of a cluster"
    )]
    NoServer {
        /// This node's name.
        node: String,
    },
    /// The node has no name.
    #[error("the node has an empty name, so its Node object cannot be found")]
    NoName,
}
