// SPDX-License-Identifier: Apache-2.0
//! An address does not outlive the boot in which it was given.

use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Host, ip, owner, set};
use crate::store::{Boot, Error, Store};

const NEXT: &str = "22222222-2222-2222-2222-222222222222";

fn full() -> (Host, crate::ranges::RangeSet) {
    let (mut host, set) = (Host::new(), set(&["10.1.0.0/29"]));
    for name in ["a", "b", "c"] {
        host.allocate(name, &set).unwrap();
    }
    host.boot_again(NEXT);
    host.write("10.1.0.5", "d\r\neth0");
    host.write("10.1.0.6", "e\r\neth0");
    (host, set)
}

#[test]
fn leases_of_earlier_boots_are_taken_back_when_a_set_is_exhausted() {
    let (host, set) = full();
    assert!(!host.store.is_exhausted(&set).unwrap());
    assert_eq!(host.leases().len(), 5);
    assert_eq!(host.allocate("f", &set).unwrap(), ip("10.1.0.2"));
    assert_eq!(host.leases(), ["10.1.0.2", "10.1.0.5", "10.1.0.6"]);
    for name in ["g", "h"] {
        host.allocate(name, &set).unwrap();
    }
    assert!(host.store.is_exhausted(&set).unwrap());
    // Once it is known that there is nothing to take back, nobody looks for it again.
    host.assert_agrees();
    let wish = crate::store::Wish {
        set: &set,
        requested: None,
    };
    let ((), walks) = host.session(|session| {
        let error = session.allocate(&owner("i"), &[wish]).unwrap_err();
        assert!(matches!(error.reason(), Error::Exhausted(_)));
        Ok(())
    });
    assert_eq!(walks, 0);
}

#[test]
fn a_requested_address_is_taken_over_from_an_earlier_boot_only() {
    let (host, set) = full();
    assert_eq!(host.request("f", &set, "10.1.0.3").unwrap(), ip("10.1.0.3"));
    let error = host.request("g", &set, "10.1.0.5").unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to allocate for range 0: requested IP address 10.1.0.5 is not available in range \
         set 10.1.0.1-10.1.0.6"
    );
}

#[test]
fn a_container_that_keeps_its_id_across_boots_gets_an_address() {
    let (host, set) = full();
    assert_eq!(host.allocate("a", &set).unwrap(), ip("10.1.0.2"));
    let error = host.allocate("d", &set).unwrap_err();
    assert!(matches!(error.reason(), Error::Duplicate { .. }));
}

#[test]
fn files_of_the_reference_plugin_are_judged_by_their_age() {
    let mut host = Host::new();
    let set = set(&["10.1.0.0/30"]);
    host.write("10.1.0.2", "foreign\r\neth0");
    assert!(host.allocate("a", &set).is_err());
    host.boot_again(NEXT);
    assert_eq!(host.allocate("a", &set).unwrap(), ip("10.1.0.2"));
}

#[test]
fn what_is_known_of_one_file_is_not_believed_of_its_successor() {
    let mut host = Host::new();
    let set = set(&["10.1.0.0/30"]);
    host.allocate("a", &set).unwrap();
    host.boot_again(NEXT);
    // The reference plugin gave the same address to the same attachment again in this boot.
    std::fs::remove_file(host.path("10.1.0.2")).unwrap();
    host.write("10.1.0.2", "a\r\neth0");
    assert!(matches!(
        host.allocate("b", &set).unwrap_err().reason(),
        Error::Exhausted(_)
    ));
    assert_eq!(host.leases(), ["10.1.0.2"]);
}

#[test]
fn a_lease_of_this_boot_stays_whatever_its_file_says_about_its_age() {
    let host = Host::new();
    let set = set(&["10.1.0.0/30"]);
    host.allocate("a", &set).unwrap();
    assert!(matches!(
        host.allocate("b", &set).unwrap_err().reason(),
        Error::Exhausted(_)
    ));
    host.session(|session| session.collect(&HashSet::from([owner("a")])));
    assert_eq!(host.leases(), ["10.1.0.2"]);
}

#[test]
fn a_file_that_claims_to_be_of_the_end_of_time_is_of_this_boot() {
    let latest = UNIX_EPOCH + Duration::from_secs(i64::MAX.unsigned_abs());
    assert!(!Boot::new(NEXT, SystemTime::now()).began_after(latest));
}

#[test]
fn gc_believes_a_runtime_more_than_the_clock() {
    let mut host = Host::new();
    host.write("10.1.0.2", "of-the-reference\r\neth0");
    // The clock was wrong when it was written, or has been set since.
    host.boot_again(NEXT);
    host.session(|session| session.collect(&HashSet::from([owner("of-the-reference")])));
    assert_eq!(host.leases(), ["10.1.0.2"]);
    host.session(|session| session.collect(&HashSet::new()));
    assert!(host.leases().is_empty());
}

#[test]
fn gc_believes_a_record_more_than_a_runtime() {
    let mut host = Host::new();
    host.allocate("a", &set(&["10.1.0.0/29"])).unwrap();
    let boot = Boot::new(NEXT, SystemTime::now());
    host.store = Store::new(host.dir.path(), "net", boot).unwrap();
    host.session(|session| session.collect(&HashSet::from([owner("a")])));
    assert!(host.leases().is_empty());
}

#[test]
fn gc_takes_back_what_is_stale_empty_or_of_an_earlier_boot() {
    let (host, set) = full();
    host.write("10.1.0.4", "");
    host.write("10.9.9.9", "old-format");
    host.write("10.9.9.8", "e");
    let valid = ["d", "e"].map(owner);
    host.session(|session| session.collect(&HashSet::from(valid)));
    assert_eq!(host.leases(), ["10.1.0.5", "10.1.0.6", "10.9.9.8"]);
    host.assert_agrees();
    host.session(|session| session.collect(&HashSet::new()));
    assert!(host.leases().is_empty());
    assert!(!host.store.is_exhausted(&set).unwrap());
}
