// SPDX-License-Identifier: Apache-2.0
//! ADD: the delegate's, with a record of what it was called with.

use cni::{Add, AddResult, Error};

use crate::conf::Conf;
use crate::delegation;
use crate::record::Records;
use crate::subnet_env::SubnetEnv;

/// Attaches. The record is there before the delegate is called: whatever happens after that, DEL
/// knows what to take away.
pub(crate) fn add(call: &Add) -> Result<AddResult, Error> {
    let conf = Conf::new(&call.network)?;
    let records = Records::of(&call.network)?;
    let env = SubnetEnv::read(&conf.subnet_file)?;
    let whole = delegation::complete(&conf, &env);
    let delegate = delegation::delegate(call, whole.clone())?;
    let kept = records.keep(&call.network.name, &call.attachment, whole)?;
    let added = delegate.start_add().map_err(|error| (error, true));
    let added = added.and_then(|running| {
        running
            .end()
            .map_err(|failed| (failed.error, failed.undone))
    });
    added.map_err(|(error, undone)| match kept.take_back(undone) {
        Ok(()) => error,
        Err(record) => Error::new(error.code, format!("{error}; not undone: {record}")),
    })
}
