// SPDX-License-Identifier: Apache-2.0
//! CNI plugin `firewall`: lets a pod's packets through where the host's own firewall would drop
//! them, and keeps other pods away from it when its network asks for that.

mod add;
mod check;
mod conf;
mod del;
mod firewalld;
mod forward;
mod gc;
mod ingress;
mod obstacle;
mod owner;
mod status;

use std::process::ExitCode;

use cni::Version;

/// The plugin; its state is the kernel's.
struct Firewall;

impl cni::Plugin for Firewall {
    fn name(&self) -> &'static str {
        "firewall"
    }

    fn versions(&self) -> &'static [Version] {
        const VERSIONS: [Version; 3] = [Version::V0_4_0, Version::V1_0_0, Version::V1_1_0];
        &VERSIONS
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
    cni::run(&Firewall)
}
