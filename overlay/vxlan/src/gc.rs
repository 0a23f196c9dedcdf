// SPDX-License-Identifier: Apache-2.0
//! GC: nothing is an attachment's own, but a static list is an occasion to see that the kernel
//! holds what it says, and nothing of an earlier one.

use cni::{Code, Error, Gc, OrCode};
use net::Rtnl;

use crate::conf::{Conf, Source};
use crate::listed::Listed;

/// Looks at everything; the agent does that by itself.
pub(crate) fn gc(call: &Gc) -> Result<(), Error> {
    let conf = Conf::new(&call.network)?;
    let Source::Static(given) = &conf.source else {
        return Ok(());
    };
    let rtnl = Rtnl::open().or_code(Code::KERNEL, "talk to the kernel")?;
    Listed::new(&rtnl, &call.network, &conf.settings, given).renew()
}
