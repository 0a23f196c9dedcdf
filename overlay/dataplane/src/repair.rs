// SPDX-License-Identifier: Apache-2.0
//! The device made right: in place where the kernel allows that, because routes, neighbours and
//! forwarding entries stay then and packets flow on; else made again.

use net::{FdbEntry, Kind, Link, Request, RouteEntry, Rtnl, Vxlan, VxlanChange};
use nix::errno::Errno;
use topology::PROTOCOL;

use crate::device::{DeviceWish, Found, Repair};
use crate::{Action, Error, Failure, Report};

/// The protocol number of routes made without one, as flannel makes them: linux/rtnetlink.h.
pub(crate) const RTPROT_BOOT: u8 = 3;

/// Makes the device right, and returns it if it is there in the end.
pub(crate) fn repair(
    rtnl: &Rtnl,
    wish: &DeviceWish,
    takeover: bool,
    report: &mut Report,
) -> Option<Link> {
    let fit = presence(rtnl, wish, takeover, report);
    let due = fit.and_then(|(link, vxlan)| due(rtnl, wish, link, &vxlan));
    let (link, repairs) = due.map_err(|error| report.fail(&wish.name, error)).ok()?;
    for repair in repairs {
        let outcome = carry_out(rtnl, wish, &link, &repair);
        let outcome = outcome.map_err(|error| Failure::new(&wish.name, error));
        report.differs(repair.action(), outcome);
    }
    Some(link)
}

/// Says what of the device is not as wished, and returns it if it is there.
pub(crate) fn audit(rtnl: &Rtnl, wish: &DeviceWish, report: &mut Report) -> Option<Link> {
    let found = rtnl.link(&wish.name).map_err(Error::from);
    let due = found.and_then(|link| match wish.classify(link)? {
        Found::Nothing => Ok((None, vec![Action::CreateDevice])),
        Found::Unfit(link) => Ok((Some(link), vec![Action::RemakeDevice])),
        Found::Fit(link, vxlan) => {
            let (link, repairs) = due(rtnl, wish, link, &vxlan)?;
            Ok((Some(link), repairs.iter().map(Repair::action).collect()))
        }
    });
    let (link, actions) = due.map_err(|error| report.fail(&wish.name, error)).ok()?;
    for action in actions {
        report.differs(action, Ok(()));
    }
    link
}

/// What has to be changed in a device that fits.
fn due(
    rtnl: &Rtnl,
    wish: &DeviceWish,
    link: Link,
    vxlan: &Vxlan,
) -> Result<(Link, Vec<Repair>), Error> {
    let addresses = rtnl.addresses(link.index)?;
    let repairs = wish.repairs(&link, vxlan, &addresses);
    Ok((link, repairs))
}

/// Sees to it that there is a device, one that fits.
fn presence(
    rtnl: &Rtnl,
    wish: &DeviceWish,
    takeover: bool,
    report: &mut Report,
) -> Result<(Link, Vxlan), Error> {
    let action = match wish.classify(rtnl.link(&wish.name)?)? {
        Found::Nothing => Action::CreateDevice,
        Found::Unfit(link) => {
            delete(rtnl, &link, takeover, report)?;
            Action::RemakeDevice
        }
        Found::Fit(link, vxlan) => return Ok((link, vxlan)),
    };
    match rtnl.create_vxlan(&wish.to_create()) {
        Ok(()) => report.differs(action, Ok(())),
        // Another call was quicker.
        Err(error) if error.is_exists() && matches!(rtnl.link(&wish.name), Ok(Some(_))) => {}
        Err(error) => return Err(explained(rtnl, wish, error)),
    }
    match wish.classify(rtnl.link(&wish.name)?)? {
        Found::Fit(link, vxlan) => Ok((link, vxlan)),
        _ => Err(Error::Deleted {
            name: wish.name.clone(),
        }),
    }
}

fn carry_out(rtnl: &Rtnl, wish: &DeviceWish, link: &Link, repair: &Repair) -> Result<(), Error> {
    let outcome = match repair {
        Repair::Tunnel(change) => change_tunnel(rtnl, link.index, change),
        Repair::Link(_, change) => rtnl.change_link(link.index, change),
        Repair::Sysctl(path, value) => return set_sysctl(path, value),
        Repair::AddAddress(address) => match rtnl.add_address(link.index, *address, true) {
            Err(error) if error.is_exists() => Ok(()),
            outcome => outcome,
        },
        Repair::DeleteAddress(address) => match rtnl.delete_address(link.index, *address) {
            Err(error) if error.is_not_found() => Ok(()),
            outcome => outcome,
        },
    };
    outcome.map_err(|error| explained(rtnl, wish, error))
}

/// Says where a setting is to be made that cannot be made here.
fn set_sysctl(path: &str, value: &'static str) -> Result<(), Error> {
    net::sysctl::ensure(path, value).map_err(|error| match error.errno() {
        Some(Errno::EROFS) => Error::ReadOnlySysctl {
            setting: format!("{path}={value}"),
            error,
        },
        _ => error.into(),
    })
}

/// The kernel keeps with each forwarding entry the source address and the route of the packets
/// before, and goes on with both for as long as the route stands, over IPv6 even if the address is
/// gone. So the peers' entries go first, and are made again with their other objects.
fn change_tunnel(rtnl: &Rtnl, device: u32, change: &VxlanChange) -> Result<(), net::Error> {
    if change.local.is_some() || change.device.is_some() {
        let of_peer = |entry: &FdbEntry| {
            let octets = entry.mac.octets();
            octets != [0; 6] && octets[0] & 1 == 0
        };
        let entries = rtnl.fdb(device)?.into_iter().filter(of_peer);
        let requests: Vec<_> = entries.map(Request::DeleteFdb).collect();
        let outcomes = rtnl.apply(&requests).into_iter();
        let mut refused = outcomes.filter_map(Result::err);
        if let Some(error) = refused.find(|error| !error.is_not_found()) {
            return Err(error);
        }
    }
    rtnl.change_vxlan(device, change)
}

/// Names the culprit where the kernel says that the port is taken.
fn explained(rtnl: &Rtnl, wish: &DeviceWish, error: net::Error) -> Error {
    if error.errno() != Some(Errno::EADDRINUSE) {
        return error.into();
    }
    let others = rtnl.vxlans().unwrap_or_default().into_iter();
    let rivals = others.filter(|link| {
        let has_port = matches!(link.kind, Kind::Vxlan(vxlan) if vxlan.port == wish.port);
        has_port && link.up && link.name != wish.name
    });
    let rivals: Vec<_> = rivals.map(|link| format!("{:?}", link.name)).collect();
    let culprit = if rivals.is_empty() {
        "the socket of another program".to_owned()
    } else {
        format!("the VXLAN device {}", rivals.join(", "))
    };
    Error::PortTaken {
        port: wish.port,
        culprit,
        error,
    }
}

/// Deletes a device after the routes through it: the kernel would search the whole table for each
/// next hop, and hold everybody else up meanwhile.
pub(crate) fn delete(
    rtnl: &Rtnl,
    link: &Link,
    takeover: bool,
    report: &mut Report,
) -> Result<(), net::Error> {
    let entries = rtnl.route_entries(Some(link.index), None)?;
    let ours = |entry: &RouteEntry| {
        entry.protocol == PROTOCOL || (takeover && entry.protocol == RTPROT_BOOT)
    };
    delete_routes(rtnl, entries.into_iter().filter(ours), report);
    match rtnl.delete_link(link.index) {
        Err(error) if error.is_not_found() => Ok(()),
        outcome => outcome,
    }
}

pub(crate) fn delete_routes(
    rtnl: &Rtnl,
    entries: impl Iterator<Item = RouteEntry>,
    report: &mut Report,
) {
    let entries: Vec<_> = entries.collect();
    let requests: Vec<_> = entries.iter().copied().map(Request::DeleteRoute).collect();
    for (entry, outcome) in entries.iter().zip(rtnl.apply(&requests)) {
        let outcome = match outcome {
            Err(error) if !error.is_not_found() => {
                Err(Failure::new(entry.route.dst.to_string(), error))
            }
            _ => Ok(()),
        };
        report.differs(Action::DeleteRoute, outcome);
    }
}
