// SPDX-License-Identifier: Apache-2.0
//! The CNI project's own runtime, `cnitool`, driven on a node.

use std::process::Command;

use crate::binaries;
use crate::execution::Outcome;
use crate::network::Network;
use crate::node::Node;
use crate::pod::Pod;

/// Where `cnitool` looks for networks on a node.
const NETWORKS: &str = "/run/lab/net.d";

impl Node {
    /// Installs a network for [`Node::cnitool`].
    pub fn install(&self, network: &Network) {
        let path = format!("{NETWORKS}/{}.conflist", network.name());
        self.write(path, network.text());
    }

    /// Runs `cnitool VERB NETWORK NETNS` with Podwire's plugins. `env` has what a test sets besides:
    /// CNI_IFNAME (else `eth0`), CNI_ARGS, CAP_ARGS (a JSON object), or another CNI_PATH.
    pub fn cnitool(&self, verb: &str, network: &str, pod: &Pod, env: &[(&str, &str)]) -> Outcome {
        let mut command = Command::new(binaries::tool("cnitool"));
        command.args([verb, network]).arg(pod.netns());
        command
            .env("NETCONFPATH", NETWORKS)
            .envs(env.iter().copied());
        if !env.iter().any(|(name, _)| *name == "CNI_PATH") {
            command.env("CNI_PATH", binaries::plugins());
        }
        self.output(&mut command)
    }
}
