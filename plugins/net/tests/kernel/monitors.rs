// SPDX-License-Identifier: Apache-2.0
//! Hearing of changes: each kind, only what is wanted, and that something was
//! missed. The kernel tells of IPv6 addresses a moment later, so what a test
//! has not made itself is filtered out.

use std::time::{Duration, Instant};

use net::{Event, Events, LinkChange, Monitor, Netns, Request, Rtnl};

use crate::peers::{OURS, apply, peer, peer6, undone};
use crate::vxlans::{underlay, vxlan};
use crate::{find, in_namespace, network};

const NOTHING: Events = Events {
    links: false,
    addresses: false,
    routes: false,
    neighbours: false,
    overrun: false,
};

const LONG: Duration = Duration::from_secs(60);

/// What is heard of one kind of change that has happened, or is about to.
fn heard(monitor: &Monitor, wanted: impl Fn(Event) -> bool) -> Events {
    let begin = Instant::now();
    while begin.elapsed() < LONG {
        let events = monitor.drain_where(&wanted);
        if !events.is_empty() {
            return events;
        }
        monitor.wait(LONG).unwrap();
    }
    NOTHING
}

/// The indices of the link below and of a new device of each family.
fn devices(rtnl: &Rtnl) -> (u32, u32, u32) {
    let below = underlay(rtnl);
    for (name, local) in [("four", "192.0.2.1"), ("six", "2001:db8::1")] {
        rtnl.create_vxlan(&vxlan(name, local, below)).unwrap();
    }
    (below, find(rtnl, "four").index, find(rtnl, "six").index)
}

#[test]
fn changes_of_links_and_addresses_are_heard_of() {
    in_namespace(|host| {
        let (below, four, _) = devices(host);
        let monitor = Monitor::open().unwrap();
        let change = LinkChange {
            mtu: Some(1499),
            ..LinkChange::default()
        };
        host.change_link(below, &change).unwrap();
        let events = heard(&monitor, |event| event == Event::Link(below));
        assert_eq!(
            events,
            Events {
                links: true,
                ..NOTHING
            }
        );
        let addresses = Events {
            addresses: true,
            ..NOTHING
        };
        let of_four = |event| event == Event::Address(four);
        for address in ["10.7.0.1/32", "fd77::1/128"] {
            host.add_address(four, network(address), true).unwrap();
            assert_eq!(heard(&monitor, of_four), addresses);
            host.delete_address(four, network(address)).unwrap();
            assert_eq!(heard(&monitor, of_four), addresses);
        }
    });
}

#[test]
fn changes_of_routes_neighbours_and_forwarding_entries_are_heard_of() {
    in_namespace(|host| {
        let (_, four, six) = devices(host);
        let monitor = Monitor::open().unwrap();
        for (link, requests) in [(four, peer(four, 1)), (six, peer6(six, 1))] {
            for request in requests.into_iter().chain(undone(&requests)) {
                monitor.drain();
                apply(host, &[request]);
                let (event, expected) = match request {
                    Request::AddRoute(_) | Request::DeleteRoute(_) => {
                        let routes = Events {
                            routes: true,
                            ..NOTHING
                        };
                        (Event::Route(OURS), routes)
                    }
                    _ => {
                        let neighbours = Events {
                            neighbours: true,
                            ..NOTHING
                        };
                        (Event::Neighbour(link), neighbours)
                    }
                };
                assert_eq!(heard(&monitor, |it| it == event), expected, "{request}");
            }
        }
    });
}

#[test]
fn a_deleted_link_is_heard_of_and_what_is_not_wanted_is_not() {
    in_namespace(|host| {
        let (_, four, _) = devices(host);
        let monitor = Monitor::open().unwrap();
        apply(host, &peer(four, 1));
        host.delete_link(four).unwrap();
        let mut of_four = false;
        let events = monitor.drain_where(|event| {
            of_four |= event == Event::Link(four);
            false
        });
        assert!(of_four && events.is_empty(), "{events:?}");
    });
}

#[test]
fn that_something_was_missed_is_told_once() {
    in_namespace(|host| {
        let (_, four, _) = devices(host);
        let monitor = Monitor::open_in(&Netns::current().unwrap()).unwrap();
        let peers: Vec<Request> = (1..=5000).flat_map(|n| peer(four, n)).collect();
        apply(host, &peers);
        let events = monitor.drain_where(|_| false);
        assert_eq!(
            events,
            Events {
                overrun: true,
                ..NOTHING
            }
        );
        apply(host, &undone(&peer(four, 1)));
        let events = monitor.drain();
        assert!(events.routes && events.neighbours && !events.overrun);
    });
}

#[test]
fn a_wait_without_news_ends_in_time() {
    in_namespace(|host| {
        let limit = Duration::from_millis(100);
        let monitor = Monitor::open().unwrap();
        let begin = Instant::now();
        monitor.wait(limit).unwrap();
        assert!(begin.elapsed() >= limit && monitor.drain().is_empty());
        devices(host);
        monitor.wait(LONG).unwrap();
        assert!(monitor.drain().links && begin.elapsed() < LONG);
    });
}
