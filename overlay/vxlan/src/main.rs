// SPDX-License-Identifier: Apache-2.0
//! CNI plugin `vxlan`, chained behind the plugin that makes the interface: pods of this node and
//! of others reach each other through the VXLAN overlay, untranslated, and their packets fit it.
//!
//! With a list of nodes in the configuration or in a file the plugin programs the overlay itself;
//! without one it asks the agent `podwired` whether it has.

mod add;
mod agent;
mod attached;
mod check;
mod conf;
mod doubt;
mod fingerprint;
mod gc;
mod list;
mod listed;
mod lock;
mod place;
mod port;
mod program;
mod stamp;
mod status;
mod wished;

use std::process::ExitCode;

/// The plugin; its state is the kernel's.
struct Vxlan;

impl cni::Plugin for Vxlan {
    fn name(&self) -> &'static str {
        "vxlan"
    }

    fn add(&self, call: &cni::Add) -> Result<cni::AddResult, cni::Error> {
        add::add(call)
    }

    /// The overlay is the node's, not the attachment's, and the attachment's MTU goes with it.
    fn del(&self, _: &cni::Del) -> Result<(), cni::Error> {
        Ok(())
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
    cni::run(&Vxlan)
}
