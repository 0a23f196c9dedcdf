// SPDX-License-Identifier: Apache-2.0
//! CNI plugin `tuning`, chained behind the plugin that makes the interface: MAC address, MTU and
//! modes of the interface in the sandbox, and sysctls of the sandbox's network.
//!
//! What the interface had before is kept in a file, in the form of the reference plugin of this
//! name, so that either can restore what the other has changed.

mod add;
mod allowlist;
mod attributes;
mod backup;
mod carried;
mod check;
mod conf;
mod del;
mod duplicates;
mod gc;
mod guard;
mod settings;
mod sysctls;

use std::process::ExitCode;

/// The plugin; what it keeps are the backups.
struct Tuning;

impl cni::Plugin for Tuning {
    fn name(&self) -> &'static str {
        "tuning"
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
        conf::Conf::of_network(&call.network).and_then(|conf| allowlist::check(&conf.sysctls))
    }
}

fn main() -> ExitCode {
    cni::run(&Tuning)
}
