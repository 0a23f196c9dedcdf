// SPDX-License-Identifier: Apache-2.0
//! From one list of nodes to the next without a look at the peers that both have alike.
//!
//! A difference is taken between what the peers' old entries have made and what their new ones
//! wish; it is the one that a look at everything would find, as long as nobody meddled.

use net::{Address, Rtnl};
use topology::{Change, Cluster, Family, Held, Op, Overlay, PROTOCOL, difference};

use crate::ground::Ground;
use crate::peers::OnDevice;
use crate::{Dataplane, Device, Error, Report, reconcile};

/// What one family's changed peers need.
struct Step {
    device: Device,
    on_device: OnDevice,
    change: Change,
    /// The names of the peers that came or changed.
    peers: Vec<String>,
}

pub(crate) fn follow(dataplane: &Dataplane<'_>, before: &Cluster, after: &Cluster) -> Report {
    match steps(dataplane, before, after) {
        Ok(Some(steps)) => carry_out(dataplane.rtnl, steps),
        // What went wrong, if anything, will be told by it, too.
        Ok(None) | Err(_) => reconcile::reconcile(dataplane, after, reconcile::Mode::Repair),
    }
}

/// All that is to be done; none where more than peers differs, or the ground is not as it should
/// be. Nothing is written yet.
fn steps(
    dataplane: &Dataplane<'_>,
    before: &Cluster,
    after: &Cluster,
) -> Result<Option<Vec<Step>>, Error> {
    let addresses = dataplane.rtnl.all_addresses()?;
    let mut steps = Vec::new();
    for family in Family::ALL {
        match (before.overlay(family), after.overlay(family)) {
            (None, None) => {}
            (Some(before), Some(after)) if has_one_ground(before, after) => {
                match step(dataplane, before, after, &addresses)? {
                    Some(step) => steps.push(step),
                    None => return Ok(None),
                }
            }
            _ => return Ok(None),
        }
    }
    Ok(Some(steps))
}

/// Whether two overlays differ in nothing but peers.
fn has_one_ground(before: &Overlay, after: &Overlay) -> bool {
    before.own() == after.own() && before.network() == after.network()
}

fn step(
    dataplane: &Dataplane<'_>,
    before: &Overlay,
    after: &Overlay,
    addresses: &[(u32, Address)],
) -> Result<Option<Step>, Error> {
    let Some(ground) = Ground::of(dataplane, after, addresses)? else {
        return Ok(None);
    };
    let Ground {
        underlay,
        wish,
        device: link,
    } = ground;
    let (gone, come) = before.changed(after);
    let direct = underlay.direct(dataplane.settings);
    let peers = come.iter().map(|peer| peer.node.clone()).collect();
    let old = before.wish_for(gone, link.index, &direct);
    let new = after.wish_for(come, link.index, &direct);
    let change = difference(&new, &Held::from(&old));
    if !replaces_only_ours(dataplane.rtnl, &change)? {
        return Ok(None);
    }
    Ok(Some(Step {
        device: Device {
            family: after.family(),
            name: wish.name,
            index: link.index,
            mtu: wish.mtu,
            underlay: underlay.name,
        },
        on_device: OnDevice::by(&old),
        change,
        peers,
    }))
}

/// Whether the routes that are to be replaced are there: else the kernel would replace another's,
/// or the next call would find two. With tunnels alone there is none to be replaced.
fn replaces_only_ours(rtnl: &Rtnl, change: &Change) -> Result<bool, Error> {
    for op in &change.set {
        let Op::ReplaceRoute(wish) = op else { continue };
        let found = rtnl.route_entry(wish.dst.network())?;
        let ours = found.is_some_and(|found| {
            let (dst, metric) = (found.route.dst, found.route.priority.unwrap_or(0));
            found.protocol == PROTOCOL && (dst, metric) == (wish.dst, wish.metric)
        });
        if !ours {
            return Ok(false);
        }
    }
    Ok(true)
}

fn carry_out(rtnl: &Rtnl, steps: Vec<Step>) -> Report {
    let mut report = Report::default();
    for step in steps {
        step.on_device.apply(rtnl, step.change.ops(), &mut report);
        report.devices.push(step.device);
        report.peers.extend(step.peers);
    }
    report
}
