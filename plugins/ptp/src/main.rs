// SPDX-License-Identifier: Apache-2.0
//! CNI plugin `ptp`: a veth pair between a network namespace and the host, which routes. The pod has
//! no neighbour but the host: each packet of it passes the host's routing and netfilter.

mod add;
mod check;
mod conf;
mod del;
mod firewall;
mod gc;
mod host;
mod plan;
mod status;

use std::process::ExitCode;

/// The plugin; its state is the kernel's.
struct Ptp;

impl cni::Plugin for Ptp {
    fn name(&self) -> &'static str {
        "ptp"
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
    cni::run(&Ptp)
}
