// SPDX-License-Identifier: Apache-2.0
//! Crashes between any two steps, and an index that somebody has laid hands on.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::SystemTime;

use super::{Host, ip, names, owner, set};
use crate::ranges::RangeSet;
use crate::store::session::Session;
use crate::store::{Wish, lease, stamp};

/// Asserts that `a` holds the first address and nothing else is held, whatever happened before.
fn assert_sound(host: &Host, set: &RangeSet) {
    assert_eq!(host.allocate("next", set).unwrap(), ip("10.1.0.3"));
    host.assert_agrees();
    assert_eq!(host.release("a"), [ip("10.1.0.2")]);
    assert_eq!(host.release("next"), [ip("10.1.0.3")]);
    assert_eq!(host.leases(), [""; 0]);
}

#[test]
fn an_operation_that_stops_anywhere_leaves_a_sound_store() {
    type Step = fn(&Host);
    let written: Step = |host| {
        fs::write(host.index().join("draft"), "a\r\neth0").unwrap();
    };
    let linked: Step = |host| {
        fs::hard_link(host.index().join("draft"), host.path("10.1.0.2")).unwrap();
    };
    let removed: Step = |host| fs::remove_file(host.index().join("draft")).unwrap();
    let in_block: Step = |host| {
        let mut block = crate::store::block::Block::empty();
        block.set(ip("10.1.0.2"), true);
        block.save(&host.index().join("10.1.0.0")).unwrap();
    };
    let recorded: Step = |host| {
        let name = format!("{}.0", owner("a").record_name());
        symlink("1111111111111111 0 10.1.0.2", host.index().join(name)).unwrap();
    };
    let reserved: Step = |host| fs::write(host.path("last_reserved_ip.0"), "10.1.0.2").unwrap();
    let half_stamped: Step = |host| {
        let index = fs::File::open(host.index()).unwrap();
        index.set_modified(SystemTime::now()).unwrap();
    };
    let steps = [
        written,
        linked,
        removed,
        in_block,
        recorded,
        reserved,
        half_stamped,
    ];
    for count in 1..=steps.len() {
        let host = Host::new();
        let set = set(&["10.1.0.0/24"]);
        host.session(|session| session.agree());
        steps[..count].iter().for_each(|step| step(&host));
        if count == 1 {
            // Nothing was promised to anybody yet.
            assert_eq!(host.allocate("a", &set).unwrap(), ip("10.1.0.2"));
        }
        if count < 6 {
            reserved(&host);
        }
        assert_sound(&host, &set);
    }
}

#[test]
fn a_session_that_ends_without_its_stamp_costs_the_next_one_a_walk() {
    let host = Host::new();
    let set = set(&["10.1.0.0/24"]);
    let wish = Wish {
        set: &set,
        requested: None,
    };
    Session::begin(&host.store)
        .allocate(&owner("a"), &[wish])
        .unwrap();
    assert_eq!(host.session(|session| session.agree()).1, 1);
    assert_sound(&host, &set);
}

#[test]
fn a_release_that_stops_after_the_file_leaves_a_sound_store() {
    let host = Host::new();
    let set = set(&["10.1.0.0/30"]);
    host.allocate("a", &set).unwrap();
    lease::remove(&host.path(""), ip("10.1.0.2")).unwrap();
    assert_eq!(host.allocate("b", &set).unwrap(), ip("10.1.0.2"));
    assert!(host.release("a").is_empty());
    assert_eq!(host.release("b"), [ip("10.1.0.2")]);
}

#[test]
fn a_draft_that_is_still_linked_to_a_lease_is_not_written_to() {
    let host = Host::new();
    let set = set(&["10.1.0.0/24"]);
    host.allocate("a", &set).unwrap();
    let draft = host.index().join("draft");
    fs::hard_link(host.path("10.1.0.2"), &draft).unwrap();
    let made = lease::create(&host.path(""), &draft, ip("10.1.0.3"), &owner("b"));
    assert!(made.unwrap().is_some());
    assert!(host.store.holds(&owner("a"), ip("10.1.0.2")).unwrap());
    assert!(host.store.holds(&owner("b"), ip("10.1.0.3")).unwrap());
}

#[test]
fn an_index_that_could_not_be_brought_up_to_date_is_not_used() {
    let host = Host::new();
    let set = set(&["10.1.0.0/24"]);
    host.allocate("a", &set).unwrap();
    let block = fs::File::options()
        .write(true)
        .open(host.index().join("10.1.0.0"))
        .unwrap();
    block.set_len(1).unwrap();
    assert_eq!(host.release("a"), [ip("10.1.0.2")]);
    assert_eq!(host.session(|session| session.agree()).1, 1);
}

#[test]
fn empty_files_are_taken_back() {
    let host = Host::new();
    let set = set(&["10.1.0.0/29"]);
    for name in ["10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.5", "10.1.0.6"] {
        host.write(
            name,
            if name == "10.1.0.4" {
                ""
            } else {
                "foreign\r\neth0"
            },
        );
    }
    assert_eq!(host.allocate("a", &set).unwrap(), ip("10.1.0.4"));
    host.write("10.1.0.7", " \r\n");
    host.session(|session| session.agree());
    assert!(!host.path("10.1.0.7").exists());
}

#[test]
fn garbage_in_last_reserved_ip_starts_the_round_anew() {
    for garbage in ["", "x", "10.1.0.5\n", "10.9.9.9", "::1", "10.1.0.1"] {
        let host = Host::new();
        host.write("last_reserved_ip.0", garbage);
        assert_eq!(
            host.allocate("a", &set(&["10.1.0.0/24"])).unwrap(),
            ip("10.1.0.2")
        );
    }
}

/// An index with one owner and one block, spoilt, next to a store that is not.
fn spoil(what: impl Fn(&Path)) {
    let host = Host::new();
    let set = set(&["10.1.0.0/24"]);
    host.allocate("a", &set).unwrap();
    what(&host.index());
    assert_sound(&host, &set);
}

#[test]
fn an_index_that_is_gone_is_made_anew() {
    spoil(|index| fs::remove_dir_all(index).unwrap());
    spoil(|index| fs::remove_dir_all(index.parent().unwrap()).unwrap());
    let count = {
        let host = Host::new();
        host.allocate("a", &set(&["10.1.0.0/24"])).unwrap();
        names(&host.index()).len()
    };
    for number in 0..count {
        spoil(|index| fs::remove_file(index.join(&names(index)[number])).unwrap());
    }
}

#[test]
fn a_damaged_block_is_noticed() {
    let changes: [fn(&mut Vec<u8>); 6] = [
        |bytes| bytes.clear(),
        |bytes| bytes.truncate(100),
        |bytes| bytes.push(0),
        |bytes| bytes.fill(0xff),
        |bytes| bytes[5] ^= 0x40,
        |bytes| bytes.fill(0),
    ];
    for change in changes {
        spoil(|index| {
            let path = index.join("10.1.0.0");
            let mut bytes = fs::read(&path).unwrap();
            change(&mut bytes);
            fs::write(&path, bytes).unwrap();
        });
    }
}

#[test]
fn foreign_things_in_the_index_are_cleared_away() {
    spoil(|index| fs::write(index.join("notes"), "x").unwrap());
    spoil(|index| fs::create_dir_all(index.join("10.1.0.0.d/deep")).unwrap());
    spoil(|index| {
        fs::remove_file(index.join("10.1.0.0")).unwrap();
        fs::create_dir(index.join("10.1.0.0")).unwrap();
    });
    spoil(|index| {
        fs::remove_file(index.join(stamp::LINK)).unwrap();
        symlink("2 1111111111111111 none", index.join(stamp::LINK)).unwrap();
    });
}

#[test]
fn only_equal_times_that_are_no_ones_change_time_agree() {
    let times = |modified, changed| stamp::Times { modified, changed };
    let stamped = times((7, 9), (8, 0));
    assert!(stamp::Times::agree(stamped, times((7, 9), (8, 5))));
    assert!(!stamp::Times::agree(stamped, times((7, 7), (8, 5))));
    assert!(!stamp::Times::agree(times((7, 9), (7, 9)), stamped));
    assert!(!stamp::Times::agree(stamped, times((7, 9), (7, 9))));
    assert!(!stamp::Times::agree(
        times((7, 8), (8, 0)),
        times((7, 8), (8, 0))
    ));
    assert!(!stamp::Times::agree(
        times((7, 0), (8, 0)),
        times((7, 0), (8, 0))
    ));
}
