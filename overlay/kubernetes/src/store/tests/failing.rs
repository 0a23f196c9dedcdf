// SPDX-License-Identifier: Apache-2.0
//! A server that tells of all Nodes, and fails at one.

use super::*;

/// A store that knows all but the pod CIDRs of node `a`, at which the server fails.
fn failing() -> Store {
    let mut store = listed();
    for _ in 0..6 {
        assert_eq!(answered(&mut store, "a", fails()), CHANGED);
        let snapshot = store.snapshot(None);
        assert_eq!((snapshot.origin, snapshot.partial), (Origin::Live, true));
    }
    store
}

fn fails() -> Answer {
    Answer::Failed("it broke".to_owned())
}

#[test]
fn nothing_may_go_while_a_server_fails_at_pod_cidrs_at_first() {
    let mut store = failing();
    answered(&mut store, "a", pods("1", "10.0.1.0/24"));
    assert!(!store.snapshot(None).partial);
    seen(&mut store, "b", "2", true);
    answered(&mut store, "b", fails());
    assert!(!store.snapshot(None).partial, "all was known once");

    let mut store = failing();
    assert_eq!(answered(&mut store, "a", fails()), CHANGED);
    assert!(!store.snapshot(None).partial, "a minute has passed");
}
