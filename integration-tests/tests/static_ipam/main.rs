// SPDX-License-Identifier: Apache-2.0
//! The plugin `static`: what it answers, that pods can use it, and that the reference plugin of that
//! name answers the same.

mod answers;
mod life;
mod refused;

use integration_tests::Network;
use serde_json::{Map, Value, json};

/// A network of `static` alone, as a plugin that delegates to it hands it on, with these keys.
fn network(version: &str, keys: &Value) -> Network {
    let mut whole = json!({"cniVersion": version, "name": "pods", "type": "static"});
    for (key, value) in keys.as_object().into_iter().flat_map(Map::iter) {
        whole[key] = value.clone();
    }
    Network::new(whole)
}
