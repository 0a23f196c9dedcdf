// SPDX-License-Identifier: Apache-2.0
//! STATUS: whether an ADD could succeed. A kubelet asks every five seconds, so this asks the IPAM
//! plugin and takes no lock.

use cni::{Call, Code, Error, OrCode, Status};
use net::Rtnl;

use crate::conf::Conf;

/// Reports what keeps an ADD from succeeding.
pub(crate) fn status(call: &Status) -> Result<(), Error> {
    let conf = Conf::new(&call.network)?;
    Rtnl::open().or_code(Code::UNAVAILABLE, "talk to the kernel")?;
    call.delegate(&conf.ipam)?.status()
}
