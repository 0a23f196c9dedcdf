// SPDX-License-Identifier: Apache-2.0
//! CNI plugin `bandwidth`: limits how fast packets go to and come from a container whose interface
//! another plugin of the chain made. Without limits it does nothing at all.

mod add;
mod check;
mod conf;
mod ifb;
mod port;

use cni::{Add, AddResult, Check, Code, Del, Error, Gc, OrCode, Status, Version};
use net::Rtnl;
use std::process::ExitCode;

use crate::conf::Conf;

/// The plugin; its state is the kernel's.
struct Bandwidth;

impl cni::Plugin for Bandwidth {
    fn name(&self) -> &'static str {
        "bandwidth"
    }

    /// Before 0.3.0 there were no chains.
    fn versions(&self) -> &'static [Version] {
        &[
            Version::V0_3_0,
            Version::V0_3_1,
            Version::V0_4_0,
            Version::V1_0_0,
            Version::V1_1_0,
        ]
    }

    fn add(&self, call: &Add) -> Result<AddResult, Error> {
        add::add(call)
    }

    /// What hangs from the host interface goes with it: the ifb is all that would stay. Which one
    /// it is doesn't depend on the configuration, so that need not be valid.
    fn del(&self, call: &Del) -> Result<(), Error> {
        let rtnl = Rtnl::open().or_code(Code::KERNEL, "talk to the kernel")?;
        ifb::delete(&rtnl, call)
    }

    fn check(&self, call: &Check) -> Result<(), Error> {
        check::check(call)
    }

    fn gc(&self, call: &Gc) -> Result<(), Error> {
        let rtnl = Rtnl::open().or_code(Code::KERNEL, "talk to the kernel")?;
        ifb::collect(&rtnl, call)
    }

    /// Whether the kernel can do it shows when it does, and no earlier.
    fn status(&self, call: &Status) -> Result<(), Error> {
        Conf::new(&call.network).map(drop)
    }
}

fn main() -> ExitCode {
    cni::run(&Bandwidth)
}
