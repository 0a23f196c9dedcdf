// SPDX-License-Identifier: Apache-2.0
//! CNI IPAM plugin `static`: an attachment gets the addresses that the configuration or the runtime
//! names. It keeps nothing, so nothing keeps two attachments from being given one address.

mod addresses;
mod check;
mod conf;

use std::collections::BTreeMap;
use std::process::ExitCode;

use cni::{Add, AddResult, Check, Del, Error, Gc, Ip, Status};

use addresses::Address;
use conf::Conf;

/// The keys of CNI_ARGS that count.
const ARGS: [&str; 2] = ["IP", "GATEWAY"];

/// The plugin; it has no state.
struct Static;

impl cni::Plugin for Static {
    fn name(&self) -> &'static str {
        "static"
    }

    fn add(&self, call: &Add) -> Result<AddResult, Error> {
        let conf = Conf::new(&call.network, &call.args(&ARGS)?)?;
        let ip = |address: &Address| Ip {
            address: address.network,
            gateway: address.gateway,
            interface: None,
        };
        Ok(AddResult {
            ips: conf.addresses.iter().map(ip).collect(),
            routes: conf.routes,
            dns: conf.dns,
            ..AddResult::default()
        })
    }

    fn del(&self, _: &Del) -> Result<(), Error> {
        Ok(())
    }

    fn check(&self, call: &Check) -> Result<(), Error> {
        let conf = Conf::new(&call.network, &call.args(&ARGS)?)?;
        check::compare(&conf.addresses, &call.required_prev_result()?.ips)
    }

    fn gc(&self, _: &Gc) -> Result<(), Error> {
        Ok(())
    }

    /// Without addresses all is well: they may come with the ADD.
    fn status(&self, call: &Status) -> Result<(), Error> {
        Conf::new(&call.network, &BTreeMap::new()).map(drop)
    }
}

fn main() -> ExitCode {
    cni::run(&Static)
}
