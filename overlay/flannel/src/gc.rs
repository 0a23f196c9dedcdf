// SPDX-License-Identifier: Apache-2.0
//! GC: attachments that have a record and are not valid are taken away by it; whatever else the
//! delegate may find is its own GC's.

use cni::{Attachment, Error, Gc};

use crate::delegation;
use crate::record::{Record, Records};

/// The interface of a record that does not name it, as runtimes of Kubernetes call all of them.
const USUAL: &str = "eth0";

/// Collects; a failure keeps nothing else from being collected, and all of them are reported.
pub(crate) fn gc(call: &Gc) -> Result<(), Error> {
    let records = Records::of(&call.network)?;
    let all = records.all(&call.network.name)?;
    let stale = all.into_iter().filter(|(of, _)| !is_valid(call, of));
    let taken = stale.map(|(of, record)| take_away(call, of, &record));
    let delegated = delegation::present(call)
        .and_then(|whole| delegation::delegate(call, whole))
        .and_then(|delegate| delegate.gc());
    Error::join(taken.chain([delegated]).filter_map(Result::err).collect())
}

/// A record that names no interface is valid with any of its container's.
fn is_valid(call: &Gc, of: &Attachment) -> bool {
    call.valid.iter().any(|valid| {
        valid.container_id == of.container_id && (of.ifname.is_empty() || valid.ifname == of.ifname)
    })
}

fn take_away(call: &Gc, mut of: Attachment, record: &Record) -> Result<(), Error> {
    let Some(configuration) = record.configuration.clone() else {
        return Ok(());
    };
    if of.ifname.is_empty() {
        of.ifname = USUAL.to_owned();
    }
    let delegate = delegation::delegate(call, configuration)?;
    delegate.for_attachment(&of).del()?;
    record.remove()
}
