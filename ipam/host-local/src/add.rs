// SPDX-License-Identifier: Apache-2.0
//! ADD: an address from each range set, or none.

use std::net::IpAddr;

use cni::{Add, AddResult, Code, Dns, Error, Ip};
use host_local::ranges::RangeSet;
use host_local::store::Wish;

use crate::conf::{Conf, Requested};
use crate::{failure, owner, resolv};

pub(crate) fn add(call: &Add) -> Result<AddResult, Error> {
    let conf = Conf::of(&call.network)?;
    let requested = requested(call, &conf)?;
    let sets = conf.required_sets(call.network.version)?;
    let wishes = wishes(sets, requested)?;
    let dns = conf
        .resolv_conf
        .as_deref()
        .map_or_else(|| Ok(Dns::default()), resolv::read)?;
    let store = &conf.place.store;
    store.create().map_err(failure)?;
    let addresses = store
        .locked(conf.place.lock_timeout, |leases| {
            leases.allocate(&owner(&call.attachment), &wishes)
        })
        .map_err(failure)?;
    let ips = sets
        .iter()
        .zip(addresses)
        .map(|(set, address)| ip(set, address))
        .collect();
    Ok(AddResult {
        ips,
        routes: conf.routes,
        dns,
        ..AddResult::default()
    })
}

/// All addresses that are asked for, by `CNI_ARGS` first; no source replaces another.
fn requested(call: &Add, conf: &Conf) -> Result<Vec<IpAddr>, Error> {
    let args = call.args(&["IP"])?;
    let from_args = match args.get("IP") {
        None => None,
        Some(text) => {
            let Requested(address) = text.parse().map_err(|error| {
                Error::new(
                    Code::INVALID_ENVIRONMENT,
                    format!("CNI_ARGS IP={text}: {error}"),
                )
            })?;
            address
        }
    };
    let mut requested: Vec<IpAddr> = Vec::new();
    for address in from_args.into_iter().chain(conf.requested.iter().copied()) {
        if !requested.contains(&address) {
            requested.push(address);
        }
    }
    Ok(requested)
}

/// Gives each set the first of the requested addresses that it can serve.
fn wishes(sets: &[RangeSet], mut requested: Vec<IpAddr>) -> Result<Vec<Wish<'_>>, Error> {
    let mut wishes = Vec::new();
    for set in sets {
        let place = requested.iter().position(|address| set.contains(*address));
        wishes.push(Wish {
            set,
            requested: place.map(|place| requested.remove(place)),
        });
    }
    if requested.is_empty() {
        return Ok(wishes);
    }
    let left: Vec<_> = requested.iter().map(ToString::to_string).collect();
    let msg = format!("failed to allocate all requested IPs: {}", left.join(" "));
    let details = "each range set serves one address, and one that lies in it";
    Err(Error::new(Code::ADDRESS_UNAVAILABLE, msg).with_details(details))
}

fn ip(set: &RangeSet, address: IpAddr) -> Ip {
    let pool = set
        .pool_of(address)
        .expect("an address is allocated from a pool of its set");
    Ip {
        address: pool.with_prefix(address),
        gateway: Some(pool.gateway()),
        interface: None,
    }
}
