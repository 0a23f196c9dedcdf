// SPDX-License-Identifier: Apache-2.0
//! Plugin `ptp`: pods whose only neighbour is the host.

mod check;
mod ends;
mod gone;
mod keys;
mod packets;
mod reference;
mod rollback;
mod services;

use integration_tests::bench::SUBNETS;
use integration_tests::{Bench, Network};
use serde_json::{Value, json};

/// A network of both families.
fn network(keys: Value) -> Network {
    Network::of_ptp("podnet", &["10.88.0.0/24", "fd00:88::/64"], keys)
}

/// A node in use on which network `pods` is one of `ptp`, and `cluster` one of `bridge`.
fn bench() -> Bench {
    Bench::of(Network::of_ptp("pods", &SUBNETS, json!({"ipMasq": true})))
}
