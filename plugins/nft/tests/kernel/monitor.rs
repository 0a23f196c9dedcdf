// SPDX-License-Identifier: Apache-2.0
//! Word of changes: of those that concern Podwire, and when some was lost.

use std::os::fd::AsFd;
use std::process::Command;

use nft::{Batch, Family, Monitor, Rule, Table, Verdict, masquerade};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::lab::{INET, isolated, networks};

/// Whether the monitor's descriptor is readable now.
fn is_readable(monitor: &Monitor) -> bool {
    let mut fds = [PollFd::new(monitor.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).unwrap() == 1
}

#[test]
fn a_monitor_tells_of_our_tables_only() {
    let mut nft = isolated();
    let mut monitor = Monitor::open().unwrap();
    assert!(!is_readable(&monitor) && !monitor.drain().unwrap());
    let other = Table {
        name: "other",
        ..INET
    };
    let mut batch = Batch::new();
    batch.add_table(other);
    nft.commit(&batch).unwrap();
    assert!(is_readable(&monitor));
    assert!(!monitor.drain().unwrap() && !is_readable(&monitor));

    masquerade::share(&mut nft, "overlay", &networks(["10.244.0.0/16"])).unwrap();
    assert!(monitor.drain().unwrap() && !monitor.drain().unwrap());
    let flush = Command::new("nft").args(["flush", "ruleset"]).status();
    assert!(flush.unwrap().success());
    assert!(is_readable(&monitor) && monitor.drain().unwrap());
}

#[test]
fn a_monitor_that_missed_something_says_that_all_may_have_changed() {
    let mut nft = isolated();
    let mut monitor = Monitor::open().unwrap();
    let other = Table {
        name: "other",
        ..INET
    };
    for _ in 0..300 {
        let mut batch = Batch::new();
        batch.add_table(other);
        (0..20).for_each(|n| batch.add_chain(other, &format!("chain{n}"), None));
        batch.delete_table(other);
        nft.commit(&batch).unwrap();
    }
    assert!(monitor.drain().unwrap());
    assert!(!monitor.drain().unwrap());
}

/// What lets the overlay's packets through stands in a chain that is not ours.
#[test]
fn of_others_tables_only_the_chain_that_forwards_is_told_of() {
    let mut nft = isolated();
    let mut monitor = Monitor::open().unwrap();
    let table = Table {
        family: Family::Ipv4,
        name: "filter",
    };
    let rule = Rule::new().verdict(&Verdict::Accept);
    for (chain, told) in [("KUBE-FORWARD", false), ("INPUT", false), ("FORWARD", true)] {
        let steps: [&dyn Fn(&mut Batch); 4] = [
            &|batch| batch.add_chain(table, chain, None),
            &|batch| batch.append_rule(table, chain, &rule),
            &|batch| batch.flush_chain(table, chain),
            &|batch| batch.delete_chain(table, chain),
        ];
        let mut batch = Batch::new();
        batch.add_table(table);
        nft.commit(&batch).unwrap();
        monitor.drain().unwrap();
        for step in steps {
            let mut batch = Batch::new();
            step(&mut batch);
            nft.commit(&batch).unwrap();
            assert_eq!(monitor.drain().unwrap(), told, "{chain}");
        }
        let mut batch = Batch::new();
        batch.delete_table(table);
        nft.commit(&batch).unwrap();
    }
}
