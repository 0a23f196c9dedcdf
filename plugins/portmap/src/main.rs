// SPDX-License-Identifier: Apache-2.0
//! CNI plugin `portmap`: ports of the host that lead to ports of a container, chained behind the
//! plugin that gave the container its addresses.

mod add;
mod check;
mod conditions;
mod conf;
mod del;
mod flows;
mod holder;
mod localnet;
mod mapping;
mod maps;
mod reference;
mod ruleset;
mod sandbox;
mod status;
mod table;

use std::process::ExitCode;

/// The plugin; its state is the kernel's.
struct Portmap;

impl cni::Plugin for Portmap {
    fn name(&self) -> &'static str {
        "portmap"
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
        del::gc(call)
    }

    fn status(&self, call: &cni::Status) -> Result<(), cni::Error> {
        status::status(call)
    }
}

fn main() -> ExitCode {
    cni::run(&Portmap)
}
