// SPDX-License-Identifier: Apache-2.0
//! One look at everything, and what follows from it: first the devices, whose repair may take
//! objects of peers away, then the peers' objects.

use net::{Address, Link};
use topology::{Cluster, Family, HeldRoute, Op, Overlay, Subnet, difference};

use crate::device::DeviceWish;
use crate::peers::{self, OnDevice};
use crate::underlay::Underlay;
use crate::{Dataplane, Device, Report, removal, repair};

/// Whether to do what is found to be due.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Repair,
    /// As [`Self::Repair`], but no object of a peer is removed.
    Complete,
    Audit,
}

/// An overlay whose underlay is known.
struct Ready<'a> {
    overlay: &'a Overlay,
    direct: Vec<Subnet>,
    /// None in an audit only, when it is not there.
    device: Option<Link>,
}

pub(crate) fn reconcile(dataplane: &Dataplane<'_>, cluster: &Cluster, mode: Mode) -> Report {
    let mut report = Report::default();
    for family in Family::ALL {
        if cluster.overlay(family).is_none() {
            leftover(dataplane, family, mode, &mut report);
        }
    }
    let addresses = match dataplane.rtnl.all_addresses() {
        Ok(addresses) => addresses,
        Err(error) => {
            report.fail("addresses", error);
            return report;
        }
    };
    let overlays = cluster.overlays().iter();
    let ready: Vec<_> = overlays
        .filter_map(|overlay| ready(dataplane, overlay, &addresses, mode, &mut report))
        .collect();
    match peers::routes(dataplane.rtnl) {
        Ok(routes) => {
            for ready in &ready {
                ready.peers(dataplane, &routes, mode, &mut report);
            }
        }
        Err(error) => report.fail("routes", error),
    }
    report
}

/// Our device of a family that this node has no longer. flannel's is left to flannel.
fn leftover(dataplane: &Dataplane<'_>, family: Family, mode: Mode, report: &mut Report) {
    if dataplane.takes_over() {
        return;
    }
    match mode {
        Mode::Repair | Mode::Complete => removal::remove_device(dataplane, family, report),
        Mode::Audit => removal::audit_device(dataplane, family, report),
    }
}

/// Sees to the device of an overlay.
fn ready<'a>(
    dataplane: &Dataplane<'_>,
    overlay: &'a Overlay,
    addresses: &[(u32, Address)],
    mode: Mode,
    report: &mut Report,
) -> Option<Ready<'a>> {
    let rtnl = dataplane.rtnl;
    let known = Underlay::of(dataplane, overlay, addresses).and_then(|underlay| {
        let wish = DeviceWish::new(dataplane, overlay, &underlay)?;
        Ok((underlay, wish))
    });
    let (underlay, wish) = match known {
        Ok(known) => known,
        Err(error) => {
            report.fail(dataplane.device_name(overlay.family()), error);
            return None;
        }
    };
    let device = match mode {
        Mode::Repair | Mode::Complete => {
            repair::repair(rtnl, &wish, dataplane.takes_over(), report)
        }
        Mode::Audit => repair::audit(rtnl, &wish, report),
    };
    if mode != Mode::Audit && device.is_none() {
        return None;
    }
    report.devices.extend(device.as_ref().map(|link| Device {
        family: overlay.family(),
        name: wish.name.clone(),
        index: link.index,
        mtu: wish.mtu,
        underlay: underlay.name.clone(),
    }));
    Some(Ready {
        overlay,
        direct: underlay.direct(dataplane.settings),
        device,
    })
}

impl Ready<'_> {
    /// Sees to the objects of an overlay's peers.
    fn peers(
        &self,
        dataplane: &Dataplane<'_>,
        routes: &[HeldRoute],
        mode: Mode,
        report: &mut Report,
    ) {
        let device = self.device.as_ref().map(|link| link.index);
        let on_device = match OnDevice::dump(dataplane.rtnl, device) {
            Ok(on_device) => on_device,
            Err(error) => return report.fail(dataplane.device_name(self.overlay.family()), error),
        };
        // No link has the index 0.
        let mut wish = self.overlay.wish(device.unwrap_or(0), &self.direct);
        if dataplane.takes_over() {
            wish = wish.taking_over();
        }
        let mut change = difference(&wish, &on_device.held(routes));
        if mode == Mode::Complete {
            change.remove.clear();
        }
        if !change.is_empty() {
            let peers = self.overlay.peers_of(change.ops());
            let mut peers = peers.into_iter().map(str::to_owned).collect();
            report.peers.append(&mut peers);
        }
        match mode {
            Mode::Repair | Mode::Complete => on_device.apply(dataplane.rtnl, change.ops(), report),
            Mode::Audit => due(change.ops(), report),
        }
        report.complain(self.overlay, change.foreign);
    }
}

fn due<'a>(ops: impl Iterator<Item = &'a Op>, report: &mut Report) {
    ops.for_each(|op| report.differs(op.into(), Ok(())));
}
