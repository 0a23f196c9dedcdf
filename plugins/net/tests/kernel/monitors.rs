// SPDX-License-Identifier: Apache-2.0
//! Hearing of changes: each kind, nothing else, and that something was missed.

use std::time::{Duration, Instant};

use net::{Event, Events, LinkChange, Monitor, Netns, Request};

use crate::peers::{apply, peer, peer6, undone};
use crate::vxlans::{underlay, vxlan};
use crate::{find, in_namespace, network};

const NOTHING: Events = Events {
    links: false,
    addresses: false,
    routes: false,
    neighbours: false,
    overrun: false,
};

#[test]
fn each_kind_of_change_is_heard_of() {
    in_namespace(|host| {
        let below = underlay(host);
        host.create_vxlan(&vxlan("four", "192.0.2.1", below))
            .unwrap();
        host.create_vxlan(&vxlan("six", "2001:db8::1", below))
            .unwrap();
        let (four, six) = (find(host, "four").index, find(host, "six").index);
        let monitor = Monitor::open().unwrap();
        assert!(monitor.drain().is_empty());
        let mtu = |mtu| {
            let change = LinkChange {
                mtu: Some(mtu),
                ..LinkChange::default()
            };
            host.change_link(below, &change).unwrap();
        };
        mtu(1499);
        assert!(monitor.drain().links);
        for address in ["10.7.0.1/32", "fd77::1/128"] {
            host.add_address(four, network(address), true).unwrap();
            assert!(monitor.drain().addresses);
            host.delete_address(four, network(address)).unwrap();
            assert!(monitor.drain().addresses);
        }
        let neighbours = Events {
            neighbours: true,
            ..NOTHING
        };
        let routes = Events {
            routes: true,
            ..NOTHING
        };
        for requests in [peer(four, 1), peer6(six, 1)] {
            for request in requests.into_iter().chain(undone(&requests)) {
                apply(host, &[request]);
                let expected = match request {
                    Request::AddRoute(_) | Request::DeleteRoute(_) => routes,
                    _ => neighbours,
                };
                assert_eq!(monitor.drain(), expected, "{request}");
            }
        }
        assert!(monitor.drain().is_empty());
    });
}

#[test]
fn only_what_is_wanted_is_told() {
    in_namespace(|host| {
        let below = underlay(host);
        host.create_vxlan(&vxlan("four", "192.0.2.1", below))
            .unwrap();
        let four = find(host, "four").index;
        let monitor = Monitor::open().unwrap();
        apply(host, &peer(four, 1));
        let mut heard = Vec::new();
        let events = monitor.drain_where(|event| {
            heard.push(event);
            false
        });
        assert!(events.is_empty());
        assert_eq!(
            heard,
            [
                Event::Neighbour(four),
                Event::Neighbour(four),
                Event::Route(84)
            ]
        );
        host.add_address(four, network("10.7.0.1/32"), true)
            .unwrap();
        host.delete_link(four).unwrap();
        let mut heard = Vec::new();
        monitor.drain_where(|event| {
            heard.push(event);
            true
        });
        assert!(heard.contains(&Event::Link(four)), "{heard:?}");
        assert!(heard.contains(&Event::Address(four)), "{heard:?}");
    });
}

#[test]
fn that_something_was_missed_is_told_once() {
    in_namespace(|host| {
        let below = underlay(host);
        host.create_vxlan(&vxlan("four", "192.0.2.1", below))
            .unwrap();
        let four = find(host, "four").index;
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
fn a_change_ends_the_wait_and_its_absence_does_not() {
    in_namespace(|host| {
        let below = underlay(host);
        let monitor = Monitor::open().unwrap();
        let limit = Duration::from_millis(100);
        let begin = Instant::now();
        // Late news of the links' making may come first.
        while begin.elapsed() < limit {
            monitor.wait(limit).unwrap();
            monitor.drain();
        }
        host.add_address(below, network("10.7.0.1/24"), true)
            .unwrap();
        let long = Duration::from_secs(60);
        let begin = Instant::now();
        monitor.wait(long).unwrap();
        assert!(monitor.drain().addresses && begin.elapsed() < long);
    });
}
