// SPDX-License-Identifier: Apache-2.0
//! STATUS: whether an ADD would work, as far as this plugin knows, and then the delegate's.

use std::fs;

use cni::{Code, Error, Status};

use crate::conf::Conf;
use crate::delegation;
use crate::record::Records;
use crate::subnet_env::SubnetEnv;

/// Reports code 50 for a file of the overlay that is missing or wrong, and for a place where no
/// record can be kept.
pub(crate) fn status(call: &Status) -> Result<(), Error> {
    let conf = Conf::new(&call.network)?;
    let records = Records::of(&call.network)?;
    let env = SubnetEnv::read(&conf.subnet_file).map_err(|error| Error {
        code: Code::UNAVAILABLE,
        ..error
    })?;
    let directory = records.directory();
    if fs::metadata(directory).is_ok_and(|there| !there.is_dir()) {
        let msg = format!("no record can be kept in {directory:?}: it is no directory");
        return Err(Error::new(Code::UNAVAILABLE, msg));
    }
    delegation::delegate(call, delegation::complete(&conf, &env))?.status()
}
