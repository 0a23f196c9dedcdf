// SPDX-License-Identifier: Apache-2.0
//! ADD: the overlay is there, and the attachment's packets fit it. What there is of the overlay
//! belongs to the node and stays, also when the ADD fails.

use cni::{Add, AddResult, Code, Error, Network, OrCode, Version};
use net::Rtnl;

use crate::agent;
use crate::attached::{Attached, Carried};
use crate::conf::{Conf, Source};
use crate::listed::Listed;

/// Passes on what the plugins before have made, with the MTUs that it has now.
pub(crate) fn add(call: &Add) -> Result<AddResult, Error> {
    let conf = Conf::new(&call.network)?;
    let prev = call.prev_result.clone().ok_or_else(|| {
        Error::new(Code::INVALID_CONFIG, "Required prevResult missing")
            .with_details("vxlan stands behind the plugin that makes the interface")
    })?;
    let rtnl = Rtnl::open().or_code(Code::KERNEL, "talk to the kernel")?;
    let mut attached = Attached::find(&rtnl, &call.netns, &call.attachment)?;
    attached.fit(&overlay(&rtnl, &call.network, &conf)?)?;
    // Earlier versions have no such key.
    match call.network.version >= Version::V1_1_0 {
        true => Ok(attached.report(prev)),
        false => Ok(prev),
    }
}

/// Sees to it that there is an overlay, and says what it carries.
fn overlay(rtnl: &Rtnl, network: &Network, conf: &Conf) -> Result<Carried, Error> {
    match &conf.source {
        Source::Agent(state) => agent::ready(rtnl, state, Code::TRY_AGAIN_LATER),
        Source::Static(given) => Listed::new(rtnl, network, &conf.settings, given).ensure(),
    }
}
