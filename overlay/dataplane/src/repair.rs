// SPDX-License-Identifier: Apache-2.0
//! The device made right: in place where the kernel allows that, because routes, neighbours and
//! forwarding entries stay then and packets flow on; else made again.

use net::{Kind, Link, Request, RouteEntry, Rtnl};
use nix::errno::Errno;
use topology::PROTOCOL;

use crate::device::{DeviceWish, Found, Repair};
use crate::{Action, Error, Failure, Report};

/// The protocol number of routes made without one, as flannel makes them: linux/rtnetlink.h.
const RTPROT_BOOT: u8 = 3;

/// Makes the device right, and returns it if it is there in the end.
pub(crate) fn repair(
    rtnl: &Rtnl,
    wish: &DeviceWish,
    takeover: bool,
    report: &mut Report,
) -> Option<Link> {
    let made = presence(rtnl, wish, takeover, report);
    let made = made.map_err(|error| report.fail(&wish.name, error));
    let Found::Fit(link, vxlan) = made.ok()? else {
        return None;
    };
    let addresses = rtnl.addresses(link.index).map_err(Error::from);
    let repairs = addresses.and_then(|addresses| wish.repairs(&link, &vxlan, &addresses));
    match repairs {
        Ok(repairs) => {
            for repair in repairs {
                let outcome = carry_out(rtnl, wish, &link, &repair);
                let outcome = outcome.map_err(|error| Failure::new(&wish.name, error));
                report.differs(repair.action(), outcome);
            }
        }
        Err(error) => report.fail(&wish.name, error),
    }
    Some(link)
}

/// Says what of the device is not as wished.
pub(crate) fn audit(rtnl: &Rtnl, wish: &DeviceWish, report: &mut Report) -> Option<Link> {
    let found = rtnl.link(&wish.name).map_err(Error::from);
    let found = found.and_then(|link| wish.classify(link));
    let found = found.map_err(|error| report.fail(&wish.name, error));
    let (link, vxlan) = match found.ok()? {
        Found::Nothing => {
            report.differs(Action::CreateDevice, Ok(()));
            return None;
        }
        Found::Unfit(link) => {
            report.differs(Action::RemakeDevice, Ok(()));
            return Some(link);
        }
        Found::Fit(link, vxlan) => (link, vxlan),
    };
    let addresses = rtnl.addresses(link.index).map_err(Error::from);
    let repairs = addresses.and_then(|addresses| wish.repairs(&link, &vxlan, &addresses));
    match repairs {
        Ok(repairs) => {
            let actions = repairs.iter().map(Repair::action);
            actions.for_each(|action| report.differs(action, Ok(())));
        }
        Err(error) => report.fail(&wish.name, error),
    }
    Some(link)
}

/// Sees to it that there is a device, one that fits.
fn presence(
    rtnl: &Rtnl,
    wish: &DeviceWish,
    takeover: bool,
    report: &mut Report,
) -> Result<Found, Error> {
    let action = match wish.classify(rtnl.link(&wish.name)?)? {
        Found::Nothing => Action::CreateDevice,
        Found::Unfit(link) => {
            delete(rtnl, &link, takeover, report)?;
            Action::RemakeDevice
        }
        fit @ Found::Fit(..) => return Ok(fit),
    };
    match rtnl.create_vxlan(&wish.to_create()) {
        Ok(()) => report.differs(action, Ok(())),
        // Another call was quicker.
        Err(error) if error.is_exists() && matches!(rtnl.link(&wish.name), Ok(Some(_))) => {}
        Err(error) => return Err(explained(rtnl, wish, error)),
    }
    match wish.classify(rtnl.link(&wish.name)?)? {
        fit @ Found::Fit(..) => Ok(fit),
        _ => Err(Error::Deleted {
            name: wish.name.clone(),
        }),
    }
}

fn carry_out(rtnl: &Rtnl, wish: &DeviceWish, link: &Link, repair: &Repair) -> Result<(), Error> {
    let outcome = match repair {
        Repair::Tunnel(change) => rtnl.change_vxlan(link.index, change),
        Repair::Link(_, change) => rtnl.change_link(link.index, change),
        Repair::Sysctl(path, value) => net::sysctl::ensure(path, value),
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
