// SPDX-License-Identifier: Apache-2.0
//! CHECK: the overlay is as wished, and the attachment's packets fit it. Nothing is written.

use cni::{Check, Code, Error, OrCode};
use dataplane::{Guard, Report};
use net::Rtnl;
use nft::Nft;

use crate::agent;
use crate::attached::{Attached, Carried};
use crate::conf::{Conf, Source};
use crate::program::{carried, dataplane};
use crate::wished::Wished;

/// How many peers are named.
const NAMED: usize = 5;

/// Reports all that differs, code 105.
pub(crate) fn check(call: &Check) -> Result<(), Error> {
    let conf = Conf::new(&call.network)?;
    call.required_prev_result()?;
    let rtnl = Rtnl::open().or_code(Code::KERNEL, "talk to the kernel")?;
    let attached = Attached::find(&rtnl, &call.netns, &call.attachment)?;
    let mut findings = Vec::new();
    let carried = match &conf.source {
        Source::Agent(state) => Some(agent::ready(&rtnl, state, Code::CHECK_FAILED)?),
        Source::Static(given) => {
            let wished = Wished::read(&rtnl, &conf.settings, given)?;
            look(&rtnl, &wished, &mut findings)?
        }
    };
    findings.extend(carried.iter().flat_map(|it| attached.misfits(it.mtu)));
    if findings.is_empty() {
        return Ok(());
    }
    Err(Error::new(Code::CHECK_FAILED, findings.join("; ")))
}

/// Compares the kernel with what is wished; returns what the overlay carries unless it has no
/// device.
fn look(
    rtnl: &Rtnl,
    wished: &Wished,
    findings: &mut Vec<String>,
) -> Result<Option<Carried>, Error> {
    let Wished {
        settings, cluster, ..
    } = wished;
    let dataplane = dataplane(rtnl, settings);
    let report = dataplane.audit(cluster);
    findings.extend(report.errors.iter().map(ToString::to_string));
    findings.extend(differences(&report));
    findings.extend(report.complaints.iter().map(ToString::to_string));
    if let Ok(surroundings) = dataplane.surroundings(cluster) {
        let mut nft = Nft::open().or_code(Code::FIREWALL, "talk to nf_tables")?;
        let mut guard = Guard {
            nft: &mut nft,
            settings,
        };
        let missing = guard.missing(cluster, &surroundings.bridges);
        findings.extend(missing.or_code(Code::FIREWALL, "read the overlay's rules")?);
    }
    match report.devices.is_empty() {
        true => Ok(None),
        false => carried(rtnl, &report).map(Some),
    }
}

/// What an audit found, in one sentence.
fn differences(report: &Report) -> Option<String> {
    if report.operations.is_empty() {
        return None;
    }
    let due = report.operations.iter();
    let due: Vec<_> = due
        .map(|(action, count)| format!("{action}: {count}"))
        .collect();
    let mut peers: Vec<_> = report.peers.iter().take(NAMED).cloned().collect();
    if report.peers.len() > NAMED {
        peers.push(format!("{} more", report.peers.len() - NAMED));
    }
    let of = if peers.is_empty() { "" } else { " for nodes " };
    let peers = peers.join(", ");
    let due = due.join(", ");
    Some(format!(
        "the kernel differs from the list{of}{peers}: {due}"
    ))
}
