// SPDX-License-Identifier: Apache-2.0
//! The store against a map that does the same in the plainest way.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;

use proptest::prelude::*;

use super::{Host, owner, set};
use crate::ranges::RangeSet;
use crate::store::{Error, Wish};

#[derive(Debug, Clone)]
enum Operation {
    Allocate(u8),
    Request(u8, u8),
    Release(u8),
    /// The reference plugin allocates, releases, and crashes.
    ForeignAllocate(u8, u8),
    ForeignRelease(u8),
    ForeignCrash(u8),
}

fn operation() -> impl Strategy<Value = Operation> {
    let (who, which) = (0_u8..14, 0_u8..16);
    prop_oneof![
        6 => who.clone().prop_map(Operation::Allocate),
        2 => (who.clone(), which.clone()).prop_map(|(who, which)| Operation::Request(who, which)),
        4 => who.clone().prop_map(Operation::Release),
        1 => (who, which.clone()).prop_map(|(who, ip)| Operation::ForeignAllocate(who, ip)),
        1 => which.clone().prop_map(Operation::ForeignRelease),
        1 => which.prop_map(Operation::ForeignCrash),
    ]
}

#[derive(Default)]
struct Model {
    held: BTreeMap<IpAddr, u8>,
    last: Option<IpAddr>,
}

impl Model {
    fn allocate(
        &mut self,
        who: u8,
        set: &RangeSet,
        requested: Option<IpAddr>,
    ) -> Result<IpAddr, &'static str> {
        if self
            .held
            .iter()
            .any(|(ip, holder)| *holder == who && set.contains(*ip))
        {
            return Err("duplicate");
        }
        let address = match requested {
            Some(address) if !set.contains(address) => return Err("outside"),
            Some(address) if set.pool_of(address).unwrap().gateway() == address => {
                return Err("gateway");
            }
            Some(address) if self.held.contains_key(&address) => return Err("taken"),
            Some(address) => address,
            None => self.next(set).ok_or("exhausted")?,
        };
        self.held.insert(address, who);
        self.last = Some(address);
        Ok(address)
    }

    fn next(&self, set: &RangeSet) -> Option<IpAddr> {
        let all: Vec<IpAddr> = (0..16).map(place).filter(|ip| set.contains(*ip)).collect();
        let start = self
            .last
            .and_then(|last| all.iter().position(|ip| *ip == last));
        let start = start.map_or(0, |position| position + 1);
        let gateway = |ip: IpAddr| set.pool_of(ip).unwrap().gateway() == ip;
        let mut order = all[start..].iter().chain(&all[..start]).copied();
        order.find(|ip| !gateway(*ip) && !self.held.contains_key(ip))
    }
}

/// Two /29 of which the second is far away, so that blocks and pools both change.
fn place(number: u8) -> IpAddr {
    let base = if number < 7 {
        0x0a01_fff8
    } else {
        0x0a02_0000 - 7
    };
    IpAddr::V4((base + u32::from(number)).into())
}

fn outcome(result: Result<IpAddr, Error>) -> Result<IpAddr, &'static str> {
    result.map_err(|error| match error.reason() {
        Error::Duplicate { .. } => "duplicate",
        Error::Outside { .. } => "outside",
        Error::Gateway(_) => "gateway",
        Error::Taken { .. } => "taken",
        Error::Exhausted(_) => "exhausted",
        _ => "other",
    })
}

fn apply(host: &Host, model: &mut Model, set: &RangeSet, operation: &Operation) {
    let name = |who: u8| who.to_string();
    let mut allocate = |who: u8, requested: Option<IpAddr>| {
        let wish = Wish { set, requested };
        let made = host.try_session(|session| session.allocate(&owner(&name(who)), &[wish]));
        let made = outcome(made.map(|(made, _)| made[0]));
        assert_eq!(made, model.allocate(who, set, requested), "{operation:?}");
    };
    match *operation {
        Operation::Allocate(who) => allocate(who, None),
        Operation::Request(who, which) => allocate(who, Some(place(which))),
        Operation::Release(who) => {
            let mut released = host.release(&name(who));
            released.sort();
            let held: Vec<_> = model
                .held
                .extract_if(.., |_, holder| *holder == who)
                .collect();
            assert_eq!(
                released,
                held.into_iter().map(|(ip, _)| ip).collect::<Vec<_>>()
            );
        }
        Operation::ForeignAllocate(who, which) => {
            let address = place(which);
            model.held.entry(address).or_insert_with(|| {
                host.write(&address.to_string(), &format!("{who}\r\neth0"));
                who
            });
        }
        Operation::ForeignRelease(which) => {
            let address = place(which);
            if model.held.remove(&address).is_some() {
                fs::remove_file(host.path(&address.to_string())).unwrap();
            }
        }
        Operation::ForeignCrash(which) => {
            let address = place(which);
            if !model.held.contains_key(&address) {
                host.write(&address.to_string(), "");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_store_does_what_a_map_does(operations in prop::collection::vec(operation(), 1..60)) {
        let host = Host::new();
        let set = set(&["10.1.255.248/29", "10.2.0.0/29"]);
        let mut model = Model::default();
        for operation in &operations {
            apply(&host, &mut model, &set, operation);
        }
        host.session(|session| session.agree());
        let mut held: Vec<_> = model.held.keys().map(ToString::to_string).collect();
        held.sort();
        prop_assert_eq!(host.leases(), held);
        host.assert_agrees();
    }
}
