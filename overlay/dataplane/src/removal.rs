// SPDX-License-Identifier: Apache-2.0
//! The overlay taken away.

use net::{Kind, Link, RouteEntry};
use topology::{Family, PROTOCOL};

use crate::repair::{delete, delete_routes};
use crate::{Action, Dataplane, Error, Failure, Report, peers};

pub(crate) fn remove(dataplane: &Dataplane<'_>) -> Report {
    let mut report = Report::default();
    match dataplane.rtnl.route_entries(None, Some(PROTOCOL)) {
        Ok(entries) => {
            let direct = entries.into_iter().filter(|entry| within(dataplane, entry));
            delete_routes(dataplane.rtnl, direct, &mut report);
        }
        Err(error) => report.fail("routes", error),
    }
    for family in Family::ALL {
        remove_device(dataplane, family, &mut report);
    }
    report
}

/// Routes with our number that lead elsewhere are another overlay's of this host.
pub(crate) fn within(dataplane: &Dataplane<'_>, RouteEntry { route, .. }: &RouteEntry) -> bool {
    let mut networks = dataplane.settings.network.iter();
    route.table == Some(peers::MAIN)
        && networks.any(|it| it.prefix() <= route.dst.prefix() && it.contains(route.dst.network()))
}

/// Deletes the device of a family if there is one, after the routes through it.
pub(crate) fn remove_device(dataplane: &Dataplane<'_>, family: Family, report: &mut Report) {
    let name = dataplane.device_name(family);
    match device(dataplane, &name) {
        Ok(Some(link)) => {
            let deleted = delete(dataplane.rtnl, &link, dataplane.takes_over(), report);
            let deleted = deleted.map_err(|error| Failure::new(name, error));
            report.differs(Action::DeleteDevice, deleted);
        }
        Ok(None) => {}
        Err(error) => report.fail(name, error),
    }
}

/// Says whether there is a device to be deleted.
pub(crate) fn audit_device(dataplane: &Dataplane<'_>, family: Family, report: &mut Report) {
    let name = dataplane.device_name(family);
    match device(dataplane, &name) {
        Ok(Some(_)) => report.differs(Action::DeleteDevice, Ok(())),
        Ok(None) => {}
        Err(error) => report.fail(name, error),
    }
}

/// The VXLAN device of this name; another link of that name is somebody else's.
fn device(dataplane: &Dataplane<'_>, name: &str) -> Result<Option<Link>, Error> {
    let link = dataplane.rtnl.link(name)?;
    Ok(link.filter(|link| matches!(link.kind, Kind::Vxlan(_))))
}
