// SPDX-License-Identifier: Apache-2.0
//! `podwired doctor`: what of this host keeps pods from what they need, a line each, with what to do.
//!
//! It looks and changes nothing, and needs no agent. It says what it has seen, never what might be:
//! a setting is a finding only if a network of this host, or a pod that is here, depends on it.

mod host;
mod networks;

use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use topology::State;

use crate::cli::Doctor;
use crate::error::Error;
use networks::Network;

pub(crate) fn doctor(options: &Doctor) -> Result<ExitCode, Error> {
    let (networks, mut findings) = networks::read(&options.cni_conf);
    findings.extend(of_networks(&networks));
    findings.extend(of_pods(options, &networks));
    let mut stdout = io::stdout();
    for finding in &findings {
        writeln!(stdout, "{finding}")?;
    }
    if findings.is_empty() {
        writeln!(stdout, "nothing found")?;
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

/// What the networks' configurations ask of the host.
fn of_networks(networks: &[Network]) -> Vec<String> {
    let mut findings = Vec::new();
    for network in networks {
        let name = &network.name;
        let off = host::bridge_netfilter_off(network);
        if network.forwards_past_netfilter && !off.is_empty() {
            findings.push(format!(
                "network {name:?}: its bridge forwards between its pods past netfilter ({} is not \
                 1), so Services fail whose pod is on the client's node; load br_netfilter and set \
                 it to 1, or give the plugin bridge the key routeViaGateway",
                off.join(" and ")
            ));
        }
        if network.ipv6 && host::ipv6_is_off() {
            findings.push(format!(
                "network {name:?}: its pods get IPv6 addresses, and IPv6 is off on this host; set \
                 net.ipv6.conf.all.disable_ipv6 and net.ipv6.conf.default.disable_ipv6 to 0, and \
                 take ipv6.disable=1 from the kernel's command line"
            ));
        }
    }
    findings
}

/// What is wrong with what the pods that are here stand on.
fn of_pods(options: &Doctor, networks: &[Network]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut looked = |result: Result<Vec<String>, String>| match result {
        Ok(sentences) => findings.extend(sentences),
        Err(error) => findings.push(error),
    };
    looked(host::forwarding());
    looked(host::firewall(networks));
    let state = fs::read(&options.state.state).ok();
    if let Some(state) = state.and_then(|content| State::parse(&content).ok()) {
        looked(host::misfits(state.pod_mtu));
    }
    findings
}
