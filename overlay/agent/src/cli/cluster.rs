// SPDX-License-Identifier: Apache-2.0
//! Where the list of nodes comes from.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use kubernetes::annotations::Prefix;

use super::seconds;

/// What is remembered of a cluster when nobody says otherwise.
const CACHE: &str = "/var/lib/podwire/nodes.json";

/// Where the list of nodes comes from.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct From {
    /// The file that lists the nodes; it is watched
    #[arg(long, value_name = "FILE")]
    pub(crate) nodes: Option<PathBuf>,
    /// Follow the Node objects of the Kubernetes cluster that this node belongs to
    #[arg(long)]
    pub(crate) kubernetes: bool,
}

/// How to follow a cluster.
#[derive(Args, Debug)]
pub(crate) struct Cluster {
    /// The kubeconfig that leads to the API server [default: the pod's service account, else
    /// $KUBECONFIG]
    #[arg(long, value_name = "FILE", conflicts_with = "nodes")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// What the names of the Nodes' annotations begin with [default: flannel's,
    /// flannel.alpha.coreos.com]
    #[arg(long, value_name = "PREFIX", conflicts_with = "nodes")]
    pub(crate) annotation_prefix: Option<Prefix>,
    /// Where to remember the cluster's nodes for a start without the API server [default:
    /// /var/lib/podwire/nodes.json]
    #[arg(long, value_name = "FILE", conflicts_with = "nodes")]
    pub(crate) cache: Option<PathBuf>,
    /// Take the taint with this key from this node once pods can use the overlay; several with the
    /// option repeated
    #[arg(long, value_name = "KEY", conflicts_with = "nodes")]
    pub(crate) remove_taint: Vec<String>,
    /// Ask the API server for the first time after a random part of so many seconds, at most
    /// [default: 1]
    #[arg(long, value_name = "SECONDS", conflicts_with = "nodes", value_parser = seconds(0))]
    pub(crate) start_jitter: Option<u64>,
}

impl Cluster {
    /// Where the cluster's nodes are remembered.
    pub(crate) fn cache(&self) -> &Path {
        self.cache.as_deref().unwrap_or_else(|| Path::new(CACHE))
    }

    /// Within what time the API server is first asked.
    pub(crate) fn start_jitter(&self) -> Duration {
        Duration::from_secs(self.start_jitter.unwrap_or(1))
    }
}
