// SPDX-License-Identifier: Apache-2.0
//! DEL: the interface gets back what it had, if it is still there, and the backup goes. Of the
//! configuration only `dataDir` is read. Most interfaces are about to be deleted, so what the
//! kernel refuses to give back must not keep the plugins before from that.

use attachment::Ends;
use cni::{Code, Del, Error, OrCode, warn};
use net::{Link, Rtnl};

use crate::attributes::Attributes;
use crate::backup::Backup;
use crate::conf::{DATA_DIR, data_dir};
use crate::guard;

/// Restores and forgets.
pub(crate) fn del(call: &Del) -> Result<(), Error> {
    // Where a directory can't be known the usual one is as good as any.
    let directory = data_dir(&call.network).unwrap_or_else(|_| DATA_DIR.into());
    let backup = Backup::of(&directory, &call.network.name, &call.attachment);
    if let Some(before) = backup.read()? {
        let restored = restore(call, &before);
        restored.unwrap_or_else(|error| warn(format_args!("cannot restore: {error}")));
    }
    backup.remove()
}

fn restore(call: &Del, before: &Attributes) -> Result<(), Error> {
    let Some(path) = call.netns.as_ref().filter(|_| !before.is_empty()) else {
        return Ok(());
    };
    let rtnl = Rtnl::open().or_code(Code::KERNEL, "talk to the kernel")?;
    let Some(ends) = Ends::find_if_there(&rtnl, path, &call.attachment)? else {
        return Ok(());
    };
    let refused = before
        .each()
        .filter_map(|one| give_back(call, &ends, &one).err());
    Error::join(refused.collect())
}

fn give_back(call: &Del, ends: &Ends<'_>, one: &Attributes) -> Result<(), Error> {
    let Link { index, name, .. } = &ends.container;
    let wish = format!("give {name:?} back its {}", one.words());
    let changed = ends.inside.change_link(*index, &one.change());
    changed.or_code(Code::KERNEL, wish)?;
    match one.mac {
        Some(mac) => guard::admit(&call.network.name, ends, mac).map(drop),
        None => Ok(()),
    }
}
