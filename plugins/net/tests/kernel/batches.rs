// SPDX-License-Identifier: Apache-2.0
//! Many changes at once: all carried out, in order, each with its own outcome.

use net::{FdbEntry, Request, RouteEntry, Rtnl};
use nix::errno::Errno;

use crate::peers::{apply, held, peer, peer6, undone};
use crate::vxlans::{underlay, vxlan};
use crate::{find, in_namespace, ip, mac};

const PEERS: u32 = 5000;

/// A device without peers, of one family, and its index.
fn device(rtnl: &Rtnl, local: &str) -> u32 {
    let below = underlay(rtnl);
    rtnl.create_vxlan(&vxlan("podwire.1", local, below))
        .unwrap();
    find(rtnl, "podwire.1").index
}

#[test]
fn one_bad_request_among_thousands_is_the_only_one_refused() {
    in_namespace(|host| {
        let index = device(host, "192.0.2.1");
        let peers = (1..=PEERS).flat_map(|n| peer(index, n));
        let mut requests: Vec<Request> = peers.collect();
        let bad = requests.len() / 2;
        let nowhere = FdbEntry::new(index, mac(9), ip("2001:db8::9"));
        requests.insert(bad, Request::SetFdb(nowhere));
        let outcomes = host.apply(&requests);
        assert_eq!(outcomes.len(), requests.len());
        let refused = outcomes
            .into_iter()
            .enumerate()
            .filter_map(|(index, outcome)| Some((index, outcome.err()?)));
        let refused: Vec<_> = refused.collect();
        let [(at, error)] = &refused[..] else {
            panic!("{refused:?}")
        };
        assert_eq!(*at, bad);
        let text = error.to_string();
        let begin = "cannot forward 02:00:00:00:00:09 to 2001:db8::9: ";
        assert!(text.starts_with(begin), "{text}");
        let (routes, neighbours, fdb) = held(host, index);
        let all = usize::try_from(PEERS).unwrap();
        assert_eq!((routes.len(), neighbours.len(), fdb.len()), (all, all, all));

        requests.remove(bad);
        apply(host, &undone(&requests));
        assert_eq!(held(host, index), (vec![], vec![], vec![]));
    });
}

#[test]
fn thousands_of_refusals_are_told_one_by_one() {
    in_namespace(|host| {
        let index = device(host, "192.0.2.1");
        let requests: Vec<Request> = (1..=1000).flat_map(|n| undone(&peer(index, n))).collect();
        let outcomes = host.apply(&requests);
        assert_eq!(outcomes.len(), requests.len());
        for (outcome, request) in outcomes.into_iter().zip(requests) {
            let error = outcome.unwrap_err();
            assert!(error.is_not_found() && !error.is_answer_lost(), "{error}");
            assert!(
                error
                    .to_string()
                    .starts_with(&format!("cannot {request}: "))
            );
        }
    });
}

#[test]
fn the_longest_refusals_are_told_too() {
    in_namespace(|host| {
        let index = device(host, "192.0.2.1");
        let unreachable = |n| match peer(index, n) {
            [.., Request::AddRoute(mut entry)] => {
                entry.route.onlink = false;
                Request::AddRoute(entry)
            }
            other => panic!("{other:?}"),
        };
        let requests: Vec<Request> = (1..=1000).map(unreachable).collect();
        for outcome in host.apply(&requests) {
            let error = outcome.unwrap_err();
            assert_eq!(error.errno(), Some(Errno::ENETUNREACH), "{error}");
            let text = error.to_string();
            assert!(text.ends_with("(Nexthop has invalid gateway)"), "{text}");
        }
    });
}

#[test]
fn requests_are_carried_out_in_order() {
    in_namespace(|host| {
        let index = device(host, "192.0.2.1");
        let add = peer(index, 1);
        let delete = undone(&add);
        let round: Vec<Request> = add.into_iter().chain(delete).collect();
        apply(host, &round.repeat(500));
        assert_eq!(held(host, index), (vec![], vec![], vec![]));
        assert!(host.apply(&[]).is_empty());
        // The connection serves on.
        assert_eq!(find(host, "podwire.1").index, index);
    });
}

#[test]
fn a_route_is_replaced_in_place_and_added_only_once() {
    in_namespace(|host| {
        let index = device(host, "192.0.2.1");
        let [.., Request::AddRoute(entry)] = peer(index, 1) else {
            panic!()
        };
        let mut moved = entry;
        moved.route.gateway = Some(ip("10.200.9.9"));
        let outcomes = host.apply(&[entry, entry, moved].map(Request::AddRoute));
        assert!(outcomes[0].is_ok());
        for outcome in &outcomes[1..] {
            assert!(outcome.as_ref().is_err_and(net::Error::is_exists));
        }
        apply(host, &[Request::ReplaceRoute(moved)]);
        let gateways = |entries: Vec<RouteEntry>| -> Vec<_> {
            entries.iter().map(|entry| entry.route.gateway).collect()
        };
        assert_eq!(gateways(held(host, index).0), [moved.route.gateway]);
    });
}

#[test]
fn peers_of_ipv6_are_the_same_to_it() {
    in_namespace(|host| {
        let index = device(host, "2001:db8::1");
        let peers: Vec<Request> = (1..=1000).flat_map(|n| peer6(index, n)).collect();
        apply(host, &peers);
        let (routes, neighbours, fdb) = held(host, index);
        assert_eq!(
            (routes.len(), neighbours.len(), fdb.len()),
            (1000, 1000, 1000)
        );
        apply(host, &undone(&peers));
        assert_eq!(held(host, index), (vec![], vec![], vec![]));
    });
}
