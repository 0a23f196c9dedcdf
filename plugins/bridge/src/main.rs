// SPDX-License-Identifier: Apache-2.0
//! CNI plugin `bridge`: a veth pair between a network namespace and a bridge of the host, with
//! addresses from an IPAM plugin, the gateway on the bridge and masquerade behind it.

mod add;
mod attached;
mod bridge_port;
mod check;
mod conf;
mod del;
mod firewall;
mod gateway;
mod gc;
mod host_bridge;
mod plan;
mod status;
mod vlan;

use std::process::ExitCode;

/// The plugin; its state is the kernel's.
struct Bridge;

impl cni::Plugin for Bridge {
    fn name(&self) -> &'static str {
        "bridge"
    }

    fn add(&self, call: &cni::Add) -> Result<cni::AddResult, cni::Error> {
        add::add(call)
    }

    fn del(&self, call: &cni::Del) -> Result<(), cni::Error> {
        del::del(call)
    }

    fn check(&self, call: &cni::Check) -> Result<(), cni::Error> {
        check::check(call)
    }

    fn gc(&self, call: &cni::Gc) -> Result<(), cni::Error> {
        gc::gc(call)
    }

    fn status(&self, call: &cni::Status) -> Result<(), cni::Error> {
        status::status(call)
    }
}

fn main() -> ExitCode {
    cni::run(&Bridge)
}
