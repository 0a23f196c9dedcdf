// SPDX-License-Identifier: Apache-2.0
//! Word of changes: of those that concern Podwire, and when some was lost.

use std::os::fd::AsFd;
use std::process::Command;

use nft::{Batch, Monitor, Table, masquerade};
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
