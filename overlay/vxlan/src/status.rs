// SPDX-License-Identifier: Apache-2.0
//! STATUS: whether an ADD would work. An overlay that is not programmed yet is no obstacle where
//! this plugin programs it. Nothing is written, and no lock is taken.

use cni::{Code, Error, OrCode, Status};
use net::{Kind, Link, Rtnl};
use topology::{Cluster, Family, Settings};

use crate::agent;
use crate::conf::{Conf, Source};
use crate::listed::Listed;
use crate::port;
use crate::program::dataplane;
use crate::wished::Wished;

/// Reports code 50 for what keeps an ADD from succeeding.
pub(crate) fn status(call: &Status) -> Result<(), Error> {
    let conf = Conf::new(&call.network)?;
    let rtnl = Rtnl::open().or_code(Code::UNAVAILABLE, "talk to the kernel")?;
    let usable = match &conf.source {
        Source::Agent(state) => agent::ready(&rtnl, state, Code::UNAVAILABLE).map(drop),
        Source::Static(given) => {
            let listed = Listed::new(&rtnl, &call.network, &conf.settings, given);
            match listed.standing() {
                Some(_) => Ok(()),
                None => Wished::read(&rtnl, &conf.settings, given)
                    .and_then(|wished| programmable(&rtnl, &wished.settings, &wished.cluster)),
            }
        }
    };
    usable.map_err(|error| Error {
        code: Code::UNAVAILABLE,
        ..error
    })
}

/// Whether the underlay is there and nothing stands in the devices' way.
fn programmable(rtnl: &Rtnl, settings: &Settings, cluster: &Cluster) -> Result<(), Error> {
    let wish = "look for what stands in the overlay's way";
    let surroundings = dataplane(rtnl, settings).surroundings(cluster);
    let lacking = surroundings.or_code(Code::UNAVAILABLE, wish)?.lacking;
    if !lacking.is_empty() {
        return Err(Error::new(Code::UNAVAILABLE, lacking.join("; ")));
    }
    for overlay in cluster.overlays() {
        let name = settings.vni.device_name(overlay.family());
        let device = rtnl.link(&name).or_code(Code::UNAVAILABLE, wish)?;
        match device.map(|link| link.kind) {
            None | Some(Kind::Vxlan(_)) => {}
            Some(_) => {
                let msg = format!("another link, which is no VXLAN device, has the name {name:?}");
                return Err(Error::new(Code::UNAVAILABLE, msg));
            }
        }
    }
    let devices = rtnl.vxlans().or_code(Code::UNAVAILABLE, wish)?;
    let taken = |culprit: String| {
        let (port, vni) = (settings.port, settings.vni);
        let msg = format!("UDP port {port} is taken by {culprit} and not free for VNI {vni}");
        Err(Error::new(Code::UNAVAILABLE, msg))
    };
    let mut rivals = devices.iter().filter(|it| is_rival(it, settings, cluster));
    if let Some(rival) = rivals.next() {
        return taken(format!("the VXLAN device {:?}", rival.name));
    }
    // A device that is up has the port already.
    if !devices
        .iter()
        .any(|link| link.up && has_port(link, settings))
        && port::is_taken(settings.port)
    {
        return taken("the socket of another program".to_owned());
    }
    Ok(())
}

fn has_port(link: &Link, settings: &Settings) -> bool {
    matches!(link.kind, Kind::Vxlan(vxlan) if vxlan.port == settings.port.get())
}

/// Whether another VXLAN device has the overlay's port in a way that cannot be shared: for tunnels
/// of every kind, or for the same VNI.
fn is_rival(link: &Link, settings: &Settings, cluster: &Cluster) -> bool {
    let Kind::Vxlan(vxlan) = link.kind else {
        return false;
    };
    let ours = Family::ALL.map(|family| settings.vni.device_name(family));
    let family = vxlan.local.map_or(Family::V4, Family::of);
    let same_tunnels = vxlan.vni == settings.vni.get() && cluster.overlay(family).is_some();
    has_port(link, settings)
        && !ours.contains(&link.name)
        && ((vxlan.external && link.up) || same_tunnels)
}
