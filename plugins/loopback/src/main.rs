// SPDX-License-Identifier: Apache-2.0
//! CNI plugin `loopback`: the interface `lo` of a network namespace is up while it is attached.

mod lo;

use cni::{Add, AddResult, Check, Code, Del, Error, Gc, Interface, Ip, Status};
use ipnetwork::IpNetwork;
use std::path::Path;
use std::process::ExitCode;

use lo::Lo;

/// The plugin; its state is the kernel's.
struct Loopback;

impl cni::Plugin for Loopback {
    fn name(&self) -> &'static str {
        "loopback"
    }

    fn add(&self, call: &Add) -> Result<AddResult, Error> {
        let lo = Lo::open(&call.netns)?;
        lo.set_up(true)?;
        let addresses = lo.addresses()?;
        if let Some(foreign) = addresses.iter().find(|address| !address.ip().is_loopback()) {
            if !lo.was_up() {
                lo.set_up(false)?;
            }
            let msg = format!("loopback interface found with non-loopback address {foreign}");
            return Err(Error::new(Code::CONFLICT, msg));
        }
        Ok(call
            .prev_result
            .clone()
            .unwrap_or_else(|| report(&call.netns, &addresses)))
    }

    fn del(&self, call: &Del) -> Result<(), Error> {
        let Some(path) = &call.netns else {
            return Ok(());
        };
        match Lo::open_if_there(path)? {
            Some(lo) => lo.set_up(false),
            None => Ok(()),
        }
    }

    fn check(&self, call: &Check) -> Result<(), Error> {
        if Lo::open(&call.netns)?.was_up() {
            return Ok(());
        }
        Err(Error::new(Code::CHECK_FAILED, "loopback interface is down"))
    }

    fn gc(&self, _: &Gc) -> Result<(), Error> {
        // `lo` goes with its namespace: nothing of an attachment is on the host.
        Ok(())
    }

    fn status(&self, _: &Status) -> Result<(), Error> {
        Ok(())
    }
}

/// What ADD says when no plugin before it said anything: `lo` and the addresses it has.
fn report(netns: &Path, addresses: &[IpNetwork]) -> AddResult {
    let interface = Interface {
        name: lo::NAME.to_owned(),
        mac: Some("00:00:00:00:00:00".to_owned()),
        sandbox: Some(netns.to_string_lossy().into_owned()),
        ..Interface::default()
    };
    let ip = |&address| Ip {
        address,
        gateway: None,
        interface: Some(0),
    };
    AddResult {
        interfaces: vec![interface],
        ips: addresses.iter().map(ip).collect(),
        ..AddResult::default()
    }
}

fn main() -> ExitCode {
    cni::run(&Loopback)
}
