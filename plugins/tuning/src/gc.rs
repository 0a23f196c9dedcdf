// SPDX-License-Identifier: Apache-2.0
//! GC: backups of this network's attachments that are not valid. Their interfaces are the affair of
//! the plugin that made them.

use cni::{Error, Gc};

use crate::backup;
use crate::conf::data_dir;

pub(crate) fn gc(call: &Gc) -> Result<(), Error> {
    backup::collect(&data_dir(&call.network)?, &call.network.name, &call.valid)
}
