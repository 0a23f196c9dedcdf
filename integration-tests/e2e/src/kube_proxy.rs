// SPDX-License-Identifier: Apache-2.0
//! The real kube-proxy, run in a node.

use std::ops::Deref;
use std::process::Command;

use integration_tests::{Member, Program, binaries};

use crate::PATIENCE;
use crate::kubeconfig::Kubeconfig;

/// Where it reads how to reach the API.
const KUBECONFIG: &str = "/run/lab/kube-proxy.kubeconfig";

/// By what it makes its rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyMode {
    /// By iptables, as it does unless it is told otherwise.
    Iptables,
    /// By nftables.
    Nftables,
}

/// A running kube-proxy: a [`Program`] that makes rules of Services. It is killed when it is dropped.
#[derive(Debug)]
pub struct KubeProxy {
    program: Program,
    mode: ProxyMode,
}

impl KubeProxy {
    /// Starts it in a member, whose Node has the member's name, with `args` after its own.
    ///
    /// # Panics
    /// When it can't be executed.
    pub fn start(
        member: &Member,
        kubeconfig: &Kubeconfig,
        mode: ProxyMode,
        args: &[String],
    ) -> Self {
        member.node.write(KUBECONFIG, kubeconfig.text());
        let mut command = Command::new(binaries::tool("cluster/kube-proxy"));
        command.args([
            &format!("--kubeconfig={KUBECONFIG}"),
            &format!("--hostname-override={}", member.name),
            &format!("--proxy-mode={}", mode.text()),
        ]);
        // What a namespace can't set: how many flows the kernel tracks, and what it kills first.
        command.args(["--conntrack-max-per-core=0", "--oom-score-adj=0"]);
        command.args(args);
        Self {
            program: Program::start(&member.node, &mut command),
            mode,
        }
    }

    /// The rules that it has made, of both families.
    pub fn rules(&self, member: &Member) -> String {
        match self.mode {
            ProxyMode::Iptables => ["iptables-save", "ip6tables-save"]
                .map(|program| member.node.tool(program, "-t nat"))
                .concat(),
            ProxyMode::Nftables => ["ip", "ip6"]
                .map(|family| {
                    let table = format!("list table {family} kube-proxy");
                    let mut list = Command::new("nft");
                    // Before its first rule there is no table.
                    member.node.output(list.args(table.split(' '))).stdout
                })
                .concat(),
        }
    }

    /// Waits until its rules are as `wanted` wants them; `what` says what was waited for.
    ///
    /// # Panics
    /// When they do not become so.
    pub fn wait_for_rules(&self, member: &Member, what: &str, wanted: impl Fn(&str) -> bool) {
        let made = || wanted(&self.rules(member));
        assert!(
            member.node.eventually(PATIENCE, made).is_some(),
            "{}: {what}:\n{}\n{}",
            member.name,
            self.rules(member),
            self.log()
        );
    }
}

impl ProxyMode {
    fn text(self) -> &'static str {
        match self {
            Self::Iptables => "iptables",
            Self::Nftables => "nftables",
        }
    }
}

impl Deref for KubeProxy {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.program
    }
}
