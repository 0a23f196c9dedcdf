// SPDX-License-Identifier: Apache-2.0
//! The overlay programmed by this plugin itself.

use cni::{Code, Error, OrCode, warn};
use dataplane::{Dataplane, Guard, Origin, Report, Surroundings};
use net::{Kind, Rtnl};
use nft::Nft;
use topology::{Cluster, Settings};

use crate::attached::Carried;
use crate::wished::Wished;

/// How many of many similar things are named; the others are counted.
const NAMED: usize = 20;

/// The overlay's data plane on this node.
pub(crate) fn dataplane<'a>(rtnl: &'a Rtnl, settings: &'a Settings) -> Dataplane<'a> {
    Dataplane {
        rtnl,
        settings,
        origin: Origin::Own,
    }
}

/// An overlay that is programmed.
pub(crate) struct Programmed {
    /// What it leaves to pods.
    pub(crate) carried: Carried,
    /// What of the host it depended on.
    pub(crate) surroundings: Surroundings,
}

/// Makes the kernel hold what is wished.
pub(crate) fn program(rtnl: &Rtnl, wished: &Wished) -> Result<Programmed, Error> {
    let Wished {
        settings,
        cluster,
        complaints,
    } = wished;
    tell(complaints.iter().map(ToString::to_string));
    let dataplane = dataplane(rtnl, settings);
    let report = dataplane.reconcile(cluster);
    tell(report.complaints.iter().map(ToString::to_string));
    // Without a device the port is another's, and no business of the guard's.
    if report.devices.is_empty() {
        refusals(&report)?;
    }
    let surroundings = guarded(&dataplane, cluster)?;
    refusals(&report)?;
    Ok(Programmed {
        carried: carried(rtnl, &report)?,
        surroundings,
    })
}

/// Guards the overlay, also where not all of its peers could be programmed.
fn guarded(dataplane: &Dataplane<'_>, cluster: &Cluster) -> Result<Surroundings, Error> {
    let surroundings = dataplane.surroundings(cluster);
    let surroundings = surroundings.or_code(Code::TRY_AGAIN_LATER, "program the overlay")?;
    let mut nft = Nft::open().or_code(Code::FIREWALL, "talk to nf_tables")?;
    let mut guard = Guard {
        nft: &mut nft,
        settings: dataplane.settings,
    };
    guard
        .ensure(cluster, &surroundings.bridges)
        .or_code(Code::FIREWALL, "guard the overlay")?;
    Ok(surroundings)
}

/// What the devices of a report leave to pods.
pub(crate) fn carried(rtnl: &Rtnl, report: &Report) -> Result<Carried, Error> {
    let mtu = report.devices.iter().map(|device| device.mtu).min();
    let mut underlays = Vec::new();
    for device in &report.devices {
        let link = rtnl.link_at(device.index);
        let link = link.or_code(Code::KERNEL, "look up the overlay's device")?;
        if let Some(Kind::Vxlan(vxlan)) = link.map(|link| link.kind) {
            underlays.extend(vxlan.device);
        }
    }
    let gone = || Error::new(Code::TRY_AGAIN_LATER, "the overlay's device is gone again");
    Ok(Carried {
        mtu: mtu.ok_or_else(gone)?,
        underlays,
    })
}

/// What could not be programmed, as one error.
fn refusals(report: &Report) -> Result<(), Error> {
    let Some(first) = report.errors.first() else {
        return Ok(());
    };
    let more = match report.errors.len() - 1 {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let msg = format!("cannot program the overlay: {first}{more}");
    Err(Error::new(Code::TRY_AGAIN_LATER, msg))
}

/// Says on stderr what no answer has room for.
fn tell(sentences: impl ExactSizeIterator<Item = String>) {
    let more = sentences.len().saturating_sub(NAMED);
    sentences.take(NAMED).for_each(warn);
    if more > 0 {
        warn(format_args!("and {more} more of this kind"));
    }
}
