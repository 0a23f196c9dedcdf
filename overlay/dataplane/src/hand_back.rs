// SPDX-License-Identifier: Apache-2.0
//! The overlay given back to flannel, while packets flow: what it made, or took over from us, stays.

use net::{Request, RouteEntry};
use topology::{Family, PROTOCOL};

use crate::removal::within;
use crate::repair::RTPROT_BOOT;
use crate::{Action, Dataplane, Failure, Report};

/// Makes routes of ours into such as flannel makes. Where it has one already, ours just goes.
pub(crate) fn hand_back(dataplane: &Dataplane<'_>) -> Report {
    let mut report = Report::default();
    let rtnl = dataplane.rtnl;
    let entries = match rtnl.route_entries(None, Some(PROTOCOL)) {
        Ok(entries) => entries,
        Err(error) => {
            report.fail("routes", error);
            return report;
        }
    };
    let devices = Family::ALL.map(|family| rtnl.link(&dataplane.device_name(family)));
    let devices: Vec<_> = devices.into_iter().flatten().flatten().collect();
    let through = |entry: &RouteEntry| devices.iter().any(|it| Some(it.index) == entry.route.oif);
    let ours = entries.into_iter();
    let ours: Vec<_> = ours
        .filter(|it| through(it) || within(dataplane, it))
        .collect();
    let (same_place, elsewhere): (Vec<_>, Vec<_>) =
        ours.iter().partition(|it| it.route.dst.is_ipv6());
    // IPv6 has them in one place with ours; over IPv4 ours, of another metric, go afterwards.
    let replaced = same_place
        .into_iter()
        .map(|it| Request::ReplaceRoute(theirs(it)));
    let added = elsewhere.iter().map(|it| Request::AddRoute(theirs(it)));
    let deleted = elsewhere.iter().map(|it| Request::DeleteRoute(**it));
    let requests: Vec<_> = replaced.chain(added).chain(deleted).collect();
    for (request, outcome) in requests.iter().zip(rtnl.apply(&requests)) {
        let (action, entry) = match request {
            Request::DeleteRoute(entry) => (Action::DeleteRoute, entry),
            Request::AddRoute(entry) => (Action::AddRoute, entry),
            Request::ReplaceRoute(entry) => (Action::ReplaceRoute, entry),
            _ => continue,
        };
        let outcome = match outcome {
            Err(error) if !error.is_exists() && !error.is_not_found() => {
                Err(Failure::new(entry.route.dst.to_string(), error))
            }
            _ => Ok(()),
        };
        report.differs(action, outcome);
    }
    report
}

/// The route as flannel makes it: without a protocol number or, over IPv4, a metric.
fn theirs(ours: &RouteEntry) -> RouteEntry {
    let mut entry = *ours;
    entry.protocol = RTPROT_BOOT;
    if entry.route.dst.is_ipv4() {
        entry.route.priority = None;
    }
    entry
}
