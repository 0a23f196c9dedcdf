// SPDX-License-Identifier: Apache-2.0
//! DEL: the delegate's, with the configuration on record. The record goes when that has succeeded,
//! and no earlier: it is all that is known of the attachment.

use cni::{Del, Error};

use crate::delegation;
use crate::record::Records;

/// Takes the attachment away; one without a record is gone.
pub(crate) fn del(call: &Del) -> Result<(), Error> {
    let records = Records::of(&call.network)?;
    let Some(record) = records.find(&call.network.name, &call.attachment)? else {
        return Ok(());
    };
    let recorded = record.configuration.clone();
    // What the configuration says today is the next best thing to a record that cannot be read.
    let configuration = recorded.map_or_else(|| delegation::present(call), Ok)?;
    delegation::delegate(call, configuration)?.del()?;
    record.remove()
}
