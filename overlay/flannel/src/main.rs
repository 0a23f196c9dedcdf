// SPDX-License-Identifier: Apache-2.0
//! CNI plugin `flannel`: it takes the subnet, the networks and the MTU from the file that flannel,
//! or `podwired`, keeps on each node, and has another plugin, `bridge` as a rule, attach by them.
//!
//! What it had that plugin do is on record in flannel's own directory and form. So attachments
//! that flannel's plugin made are taken away by this one, and the other way round.

mod add;
mod check;
mod conf;
mod del;
mod delegation;
mod fold;
mod gc;
mod record;
mod status;
mod subnet_env;

use std::process::ExitCode;

/// The plugin; its state is the delegate's, and the records.
struct Flannel;

impl cni::Plugin for Flannel {
    fn name(&self) -> &'static str {
        "flannel"
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
    cni::run(&Flannel)
}
