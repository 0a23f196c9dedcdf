// SPDX-License-Identifier: Apache-2.0
//! Waiting for a link: woken by the kernel, bounded by the clock.

use std::thread;
use std::time::{Duration, Instant};

use net::{LinkChange, Netns, Rtnl};

use crate::{bridge, find, in_namespace, pair, running_pair, set_up};

const LONG: Duration = Duration::from_secs(30);

#[test]
fn a_link_that_runs_is_not_waited_for() {
    in_namespace(|rtnl| {
        let (left, _) = running_pair(rtnl);
        assert!(rtnl.wait_running(left.index, Duration::ZERO).unwrap());
    });
}

#[test]
fn a_link_that_begins_to_run_ends_the_wait() {
    in_namespace(|rtnl| {
        rtnl.create_veth(&pair("left", "right")).unwrap();
        set_up(rtnl, "left");
        let netns = Netns::current().unwrap();
        let left = find(rtnl, "left");
        assert!(left.up && !left.running);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                Rtnl::open_in(&netns)
                    .unwrap()
                    .wait_running(left.index, LONG)
            });
            // Not for the wait's sake: so that it is really waiting by now.
            thread::sleep(Duration::from_millis(50));
            assert!(!waiting.is_finished());
            set_up(rtnl, "right");
            assert!(waiting.join().unwrap().unwrap());
        });
    });
}

#[test]
fn a_link_that_does_not_run_is_given_up_in_time() {
    in_namespace(|rtnl| {
        rtnl.create_bridge(&bridge("cni0")).unwrap();
        let index = find(rtnl, "cni0").index;
        let limit = Duration::from_millis(100);
        let begin = Instant::now();
        assert!(!rtnl.wait_running(index, limit).unwrap());
        assert!(begin.elapsed() >= limit);
        // The connection serves on, and hears no more of what it no longer waits for.
        set_up(rtnl, "lo");
        assert!(rtnl.link("cni0").unwrap().is_some());
    });
}

#[test]
fn changes_of_other_links_neither_end_nor_prolong_the_wait() {
    in_namespace(|rtnl| {
        rtnl.create_bridge(&bridge("cni0")).unwrap();
        rtnl.create_veth(&pair("left", "right")).unwrap();
        let (cni0, left) = (find(rtnl, "cni0").index, find(rtnl, "left").index);
        let netns = Netns::current().unwrap();
        thread::scope(|scope| {
            let limit = Duration::from_millis(200);
            let waiting = scope.spawn(move || {
                let begin = Instant::now();
                let runs = Rtnl::open_in(&netns)
                    .unwrap()
                    .wait_running(cni0, limit)
                    .unwrap();
                (runs, begin.elapsed())
            });
            for n in 0.. {
                if waiting.is_finished() {
                    break;
                }
                let change = LinkChange {
                    mtu: Some(1400 + n % 2),
                    ..LinkChange::default()
                };
                rtnl.change_link(left, &change).unwrap();
            }
            let (runs, waited) = waiting.join().unwrap();
            assert!(!runs && waited >= limit && waited < LONG, "{waited:?}");
        });
    });
}

#[test]
fn a_link_that_is_deleted_ends_the_wait() {
    in_namespace(|rtnl| {
        rtnl.create_bridge(&bridge("cni0")).unwrap();
        let index = find(rtnl, "cni0").index;
        let netns = Netns::current().unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| Rtnl::open_in(&netns).unwrap().wait_running(index, LONG));
            thread::sleep(Duration::from_millis(50));
            rtnl.delete_link(index).unwrap();
            let error = waiting.join().unwrap().unwrap_err();
            assert!(error.is_not_found(), "{error}");
        });
    });
}
