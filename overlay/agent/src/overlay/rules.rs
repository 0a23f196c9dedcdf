// SPDX-License-Identifier: Apache-2.0
//! The guard's rules, made right as far as the list of nodes and other programs allow.

use dataplane::{Error, Guard, Report, Surroundings};

use super::text;
use crate::believed::Believed;

/// Whether there is no device because another program's device or socket has its port.
pub(super) fn is_outrivalled(report: &Report) -> bool {
    let errors = report.errors.iter().map(|failure| &failure.error);
    let mut rivals = errors.filter(|error| match error {
        Error::PortTaken { .. } => true,
        // A device with the same VNI, too: flannel's.
        Error::Kernel(error) => error.is_exists(),
        _ => false,
    });
    report.devices.is_empty() && rivals.next().is_some()
}

/// Makes the ruleset right, and says what was missing in it.
pub(super) fn mend(
    guard: &mut Guard<'_>,
    Believed {
        cluster, partial, ..
    }: &Believed,
    surroundings: &Result<Surroundings, Error>,
) -> Result<Vec<String>, String> {
    let bridges = &surroundings.as_ref().map_err(text)?.bridges;
    // Rules that only lack peers keep those that the list has not.
    if *partial {
        if guard.holds(cluster, bridges).map_err(text)? {
            return Ok(Vec::new());
        }
        guard.complete(cluster, bridges).map_err(text)?;
        if guard.holds(cluster, bridges).map_err(text)? {
            return Ok(vec!["peers of the guard".to_owned()]);
        }
    }
    let missing = guard.missing(cluster, bridges).map_err(text)?;
    if !missing.is_empty() {
        guard.ensure(cluster, bridges).map_err(text)?;
    }
    Ok(missing)
}
