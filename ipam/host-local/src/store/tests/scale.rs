// SPDX-License-Identifier: Apache-2.0
//! An operation costs the same however many leases there are.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use super::{Host, ip, owner, set};
use crate::store::{Error, Wish};

#[test]
fn with_60000_leases_no_operation_reads_the_directory() {
    let host = Host::in_memory();
    let set = set(&["10.1.0.0/16"]);
    for number in 2..60_002 {
        let address = Ipv4Addr::from(0x0a01_0000 + number);
        fs::write(
            host.path(&address.to_string()),
            format!("foreign-{number}\r\neth0"),
        )
        .unwrap();
    }
    assert_eq!(host.session(|session| session.agree()).1, 1);
    let wish = Wish {
        set: &set,
        requested: None,
    };
    let (made, walks) = host.session(|session| session.allocate(&owner("a"), &[wish]));
    assert_eq!((made[0], walks), (ip("10.1.234.98"), 0));
    let (released, walks) = host.session(|session| session.release(&owner("a")));
    assert_eq!((released[0], walks), (ip("10.1.234.98"), 0));
    let (released, walks) = host.session(|session| session.release(&owner("a")));
    assert_eq!((released.len(), walks), (0, 0));
    let (released, walks) = host.session(|session| session.release(&owner("foreign-777")));
    assert_eq!((released[0], walks), (ip("10.1.3.9"), 0));
    let wish = Wish {
        set: &set,
        requested: Some(ip("10.1.3.9")),
    };
    assert_eq!(
        host.session(|session| session.allocate(&owner("b"), &[wish]))
            .1,
        0
    );
    assert!(host.store.holds(&owner("b"), ip("10.1.3.9")).unwrap());
    assert!(!host.store.is_exhausted(&set).unwrap());
    host.assert_agrees();
}

#[test]
fn every_address_of_a_16_is_given_once() {
    let host = Host::in_memory();
    let set = set(&["10.1.0.0/16"]);
    let wish = Wish {
        set: &set,
        requested: None,
    };
    host.session(|session| {
        for number in 2..=0xfffe_u32 {
            let made = session.allocate(&owner(&number.to_string()), &[wish])?;
            assert_eq!(made, [IpAddr::V4((0x0a01_0000 + number).into())]);
        }
        let error = session
            .allocate(&owner("one-too-many"), &[wish])
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "failed to allocate for range 0: no IP addresses available in range set: \
             10.1.0.1-10.1.255.254"
        );
        session.release(&owner("30000"))?;
        let made = session.allocate(&owner("late"), &[wish])?;
        assert_eq!(made, [ip("10.1.117.48")]);
        Ok(())
    });
    assert!(host.store.is_exhausted(&set).unwrap());
    assert_eq!(host.leases().len(), 65_533);
    host.assert_agrees();
}

#[test]
fn a_large_ipv6_pool_takes_up_no_more_than_its_leases() {
    let host = Host::new();
    let set = set(&["2001:db8::/32"]);
    assert_eq!(host.allocate("a", &set).unwrap(), ip("2001:db8::2"));
    assert!(host.request("b", &set, "2001:db8:1::ffff").is_ok());
    assert_eq!(host.allocate("c", &set).unwrap(), ip("2001:db8:1::1:0"));
    assert_eq!(host.release("b"), [ip("2001:db8:1::ffff")]);
    let blocks = super::names(&host.index());
    assert_eq!(blocks.iter().filter(|name| name.contains(':')).count(), 2);
}

#[test]
fn a_failed_wish_takes_back_what_the_call_made_and_nothing_else() {
    let host = Host::new();
    let (one, two) = (set(&["10.1.0.0/24"]), set(&["10.2.0.0/30"]));
    host.request("full", &two, "10.2.0.2").unwrap();
    let three = set(&["10.3.0.0/24"]);
    host.allocate("a", &three).unwrap();
    let wishes = [&one, &two].map(|set| Wish {
        set,
        requested: None,
    });
    let error = host
        .try_session(|session| session.allocate(&owner("a"), &wishes))
        .unwrap_err();
    assert!(matches!(error, Error::Wish { number: 1, .. }));
    assert_eq!(host.leases(), ["10.2.0.2", "10.3.0.2"]);
    host.assert_agrees();
    assert_eq!(host.release("a"), [ip("10.3.0.2")]);
}

#[test]
fn the_gateway_and_what_is_outside_cannot_be_requested() {
    let host = Host::new();
    let set = set(&["10.1.0.0/24"]);
    let message = |address| {
        host.request("a", &set, address)
            .unwrap_err()
            .reason()
            .to_string()
    };
    assert_eq!(
        message("10.1.0.1"),
        "requested ip 10.1.0.1 is subnet's gateway"
    );
    assert_eq!(
        message("10.2.0.1"),
        "10.2.0.1 not in range set 10.1.0.1-10.1.0.254"
    );
}
