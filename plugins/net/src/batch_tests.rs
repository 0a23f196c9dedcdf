// SPDX-License-Identifier: Apache-2.0
//! Answers that don't fit the socket.

use std::net::Ipv4Addr;

use super::*;
use crate::{Mac, Route};

/// Requests that are refused: no namespace has this link.
fn refused(count: u32) -> Vec<Request> {
    let delete = |n: u32| {
        Request::DeleteNeighbour(Neighbour {
            link: 4711,
            ip: Ipv4Addr::from(n).into(),
            mac: Mac::default(),
        })
    };
    (0..count).map(delete).collect()
}

/// A connection whose socket holds as little as the kernel lets it.
fn narrow() -> Rtnl {
    let rtnl = Rtnl::open().unwrap();
    rtnl.with_socket(|socket| socket.set_rx_buf_sz(0).unwrap());
    rtnl
}

#[test]
fn answers_that_were_dropped_are_told_to_be() {
    let rtnl = narrow();
    let requests = refused(100);
    let mut send = Send::default();
    let outcomes = rtnl.with_socket(|socket| {
        let count = send.fill(&requests, requests.len());
        send.exchange(socket, count)
    });
    let lost = |outcome: &Result<(), Cause>| matches!(outcome, Err(Cause::Lost));
    let first = outcomes.iter().position(lost).unwrap();
    assert!(first > 0);
    assert!(outcomes[..first].iter().all(Result::is_err));
    assert!(outcomes[first..].iter().all(lost));
    assert!(rtnl.link("lo").unwrap().is_some());
}

#[test]
fn no_more_is_sent_than_can_be_refused() {
    let rtnl = narrow();
    let outcomes = rtnl.apply(&refused(100));
    assert_eq!(outcomes.len(), 100);
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        assert!(error.is_not_found(), "{error}");
    }
}

/// What this kernel's refusals take, in a socket as it is by default.
#[test]
fn a_full_send_can_be_refused() {
    let rtnl = Rtnl::open().unwrap();
    let requests = refused(300);
    let mut send = Send::default();
    rtnl.with_socket(|socket| {
        let limit = limit(socket);
        assert_eq!(send.fill(&requests, limit), limit);
        let outcomes = send.exchange(socket, limit);
        let refused = |outcome: &Result<(), Cause>| matches!(outcome, Err(Cause::Refused { .. }));
        assert!(outcomes.iter().all(refused));
    });
}

#[test]
fn a_send_is_bounded_in_bytes() {
    let route = Route::to("2001:db8::/64".parse().unwrap());
    let request = Request::AddRoute(RouteEntry {
        route,
        protocol: 84,
    });
    let requests = vec![request; 4096];
    let mut send = Send::default();
    let count = send.fill(&requests, requests.len());
    assert!(count > 100 && count < requests.len());
    assert!(send.bytes.len() < BYTES + 200);
}
