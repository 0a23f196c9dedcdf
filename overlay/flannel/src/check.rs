// SPDX-License-Identifier: Apache-2.0
//! CHECK: the delegate's, with what it was called with.

use cni::{Check, Code, Error};

use crate::conf::Conf;
use crate::record::Records;
use crate::{delegation, fold};

/// Reports what the delegate finds, and a record that is missing: without it DEL takes nothing away.
pub(crate) fn check(call: &Check) -> Result<(), Error> {
    Conf::new(&call.network)?;
    call.required_prev_result()?;
    let records = Records::of(&call.network)?;
    let attachment = &call.attachment;
    let Some(record) = records.find(&call.network.name, attachment)? else {
        let msg = format!(
            "there is no record of container {:?}, interface {:?}, in {:?}",
            attachment.container_id,
            attachment.ifname,
            records.directory()
        );
        return Err(Error::new(Code::CHECK_FAILED, msg));
    };
    let Some(mut configuration) = record.configuration.clone() else {
        let msg = format!("the record {:?} cannot be read", record.path());
        return Err(Error::new(Code::CHECK_FAILED, msg));
    };
    // The record may be older than the verb.
    fold::set(
        &mut configuration,
        "cniVersion",
        call.network.version.as_str(),
    );
    delegation::delegate(call, configuration)?.check()
}
