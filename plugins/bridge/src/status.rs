// SPDX-License-Identifier: Apache-2.0
//! STATUS: whether an ADD could succeed. A kubelet asks every five seconds, so this looks up one
//! link, asks the IPAM plugin and takes no lock.

use cni::{Call, Code, Error, OrCode, Status};
use net::Rtnl;
use std::collections::BTreeMap;

use crate::conf::Conf;
use crate::host_bridge;

/// Reports code 50 for what keeps an ADD from succeeding.
pub(crate) fn status(call: &Status) -> Result<(), Error> {
    let conf = Conf::new(&call.network, &BTreeMap::new())?;
    let wish = || format!("look up bridge {:?}", conf.bridge);
    let rtnl = Rtnl::open().or_code(Code::UNAVAILABLE, wish())?;
    if let Some(link) = rtnl.link(&conf.bridge).or_code(Code::UNAVAILABLE, wish())? {
        host_bridge::as_bridge(&link).map_err(|error| Error {
            code: Code::UNAVAILABLE,
            ..error
        })?;
    }
    match &conf.ipam {
        Some(plugin) => call.delegate(plugin)?.status(),
        None => Ok(()),
    }
}
