// SPDX-License-Identifier: Apache-2.0
//! `podwired cleanup`: the node as it was before the overlay.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, absolute};
use std::process::ExitCode;

use dataplane::{Dataplane, Egress, Guard, Origin, Report};
use net::Rtnl;
use nft::Nft;
use topology::{Settings, State};

use crate::cli::{Cleanup, origin};
use crate::error::Error;
use crate::flannel;
use crate::lock::Lock;

/// What the plugin `vxlan` keeps on a node whose overlay it programs by itself, for as long as
/// there is one.
const PLUGINS: [&str; 4] = [
    "/run/podwire/vxlan.stamp",
    "/run/podwire/.vxlan.stamp.new",
    "/run/podwire/vxlan.doubt",
    "/run/podwire/vxlan.lock",
];

pub(crate) fn cleanup(options: &Cleanup) -> Result<ExitCode, Error> {
    let path = absolute(&options.state.state)?;
    // Held to the end: no agent begins meanwhile.
    let lock = Lock::take(&path)?;
    let state = fs::read(&path).ok();
    let state = state.and_then(|content| State::parse(&content).ok());
    let (settings, origin) = overlay(options, state.as_ref());
    let mut nft = Nft::open()?;
    if options.keep_device {
        flannel::is_back(&mut nft, origin, state.as_ref())?;
    }
    // First, so that the runtime attaches no further pods.
    if let Some(conflist) = &options.conflist {
        remove(conflist)?;
    }
    // Whoever keeps flannel's device has flanneld see to the file.
    let subnet_env = state.as_ref().and_then(|state| state.subnet_env.as_deref());
    if let Some(subnet_env) = subnet_env.filter(|_| !options.keep_device) {
        remove(subnet_env)?;
    }
    let rtnl = Rtnl::open()?;
    let dataplane = Dataplane {
        rtnl: &rtnl,
        settings: &settings,
        origin,
    };
    let report = if options.keep_device {
        dataplane.hand_back()
    } else {
        dataplane.remove()
    };
    Guard {
        nft: &mut nft,
        settings: &settings,
    }
    .remove()?;
    Egress::remove(&mut nft)?;
    tell(&report)?;
    if !report.errors.is_empty() {
        // The state stays: it says what is to be removed at the next try.
        return Ok(ExitCode::FAILURE);
    }
    if let Some(remembered) = state.and_then(|state| state.remembered) {
        remove(&remembered.cache_file)?;
    }
    remove(&path)?;
    for file in PLUGINS {
        remove(Path::new(file))?;
    }
    lock.remove()?;
    Ok(ExitCode::SUCCESS)
}

/// What is to be removed: what the command line says, and else what the agent did.
fn overlay(options: &Cleanup, state: Option<&State>) -> (Settings, Origin) {
    let given = &options.overlay;
    let mut settings = state.map_or_else(Settings::default, |state| state.settings.clone());
    settings.vni = given.vni.unwrap_or(settings.vni);
    if !given.network.is_empty() {
        settings.network.clone_from(&given.network);
    }
    let took_over = state.is_some_and(|state| state.takes_over);
    (settings, origin(given.take_over_flannel || took_over))
}

fn tell(report: &Report) -> io::Result<()> {
    for (action, count) in &report.operations {
        writeln!(io::stdout(), "{action}: {count}")?;
    }
    for error in &report.errors {
        writeln!(io::stderr(), "podwired: {error}")?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::Remove {
            path: path.to_owned(),
            error,
        }),
        _ => Ok(()),
    }
}
