// SPDX-License-Identifier: Apache-2.0
//! Why a command ends without having done its work.

use std::io;
use std::path::PathBuf;

use crate::{conflist, flannel, http, install, kernel, lock};

/// What is said to whoever gave the command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Lock(#[from] lock::Error),
    #[error(transparent)]
    Kernel(#[from] kernel::Error),
    #[error(transparent)]
    Network(#[from] net::Error),
    #[error(transparent)]
    Ruleset(#[from] nft::Error),
    #[error(transparent)]
    NetConf(#[from] flannel::NetConfError),
    #[error(transparent)]
    Refused(#[from] flannel::Refused),
    #[error(transparent)]
    Conflist(#[from] conflist::Error),
    #[error("no state in {}: {error}; {}", path.display(), agent_runs(agent))]
    State {
        path: PathBuf,
        error: String,
        /// The process of the agent, if that can be told.
        agent: io::Result<Option<String>>,
    },
    #[error("there is no device of flannel's to keep: this node's overlay is not on one")]
    NotFlannels,
    #[error(
        "flanneld does not masquerade yet, nor lets packets through: begin it on this node, and then take podwired's rules away; nothing was changed"
    )]
    FlannelIsAway,
    #[error(transparent)]
    Http(#[from] http::Error),
    #[error(transparent)]
    Install(#[from] install::Error),
    #[error("cannot remove {}: {error}", path.display())]
    Remove { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Cluster(#[from] kubernetes::Error),
    #[error(
        "no network is given for the pods of all nodes, which Node objects do not tell: give --net-conf or --network"
    )]
    NoNetwork,
    #[error(transparent)]
    Io(#[from] io::Error),
}

fn agent_runs(process: &io::Result<Option<String>>) -> &'static str {
    match process {
        Ok(Some(_)) => "podwired runs, and has not written it yet",
        Ok(None) => "podwired does not run",
        Err(_) => "whether podwired runs is only told to root",
    }
}
