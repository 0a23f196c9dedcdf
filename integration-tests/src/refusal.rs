// SPDX-License-Identifier: Apache-2.0
//! What a plugin owes to whoever calls it with bad input: one error object, and everything as it
//! was.

use serde_json::{Map, Value};

use crate::bench::{self, Bench};
use crate::execution::{Execution, Outcome};
use crate::network::Network;

/// The keys of an error object: specification 1.1.0, section "Error".
const KEYS: [&str; 4] = ["cniVersion", "code", "msg", "details"];

impl Outcome {
    /// Asserts that the execution failed as the specification has it: exit status 1, on standard
    /// output one error object and nothing else, with this code, and with all of `words` in what
    /// a user gets to see of it: the message and the details.
    ///
    /// # Panics
    /// When it is not so.
    pub fn assert_refused(&self, code: u64, words: &[&str]) {
        assert_eq!(self.status, Some(1), "{self}");
        let object = self.json();
        let keys = object.as_object().into_iter().flat_map(Map::keys);
        for key in keys {
            assert!(KEYS.contains(&key.as_str()), "{key} in an error: {self}");
        }
        assert!(object["cniVersion"].is_string(), "{self}");
        let (found, text) = self.error();
        assert_eq!(found, code, "{self}");
        for word in words {
            assert!(text.contains(word), "{word:?} is not in {text:?}");
        }
    }
}

impl Bench {
    /// One call for `eth0` of a container of this name, with a configuration of the test's own:
    /// of `bridge` or any other plugin.
    pub fn call_with(&self, verb: &str, container: &str, configuration: &Value) -> Execution {
        let network = Network::new(configuration.clone());
        bench::call(&self.runner, &network, verb, container)
    }

    /// Asserts that a call is refused, see [`Outcome::assert_refused`], and changes nothing.
    ///
    /// # Panics
    /// When it is not so.
    pub fn assert_refuses(&self, call: &Execution, code: u64, words: &[&str]) {
        call.run(&self.node).assert_refused(code, words);
        self.assert_clean();
    }
}

/// A configuration with another value at a key such as `ipam.ranges.0.0.subnet`; objects and
/// lists on the way there are made where they are missing.
pub fn changed(configuration: &Value, key: &str, value: Value) -> Value {
    let mut whole = configuration.clone();
    let place = key.split('.').fold(&mut whole, |place, segment| {
        let Ok(index) = segment.parse::<usize>() else {
            return &mut place[segment];
        };
        if place.is_null() {
            *place = Value::Array(Vec::new());
        }
        let list = place.as_array_mut().expect("an index is of a list");
        list.resize(list.len().max(index + 1), Value::Null);
        &mut list[index]
    });
    *place = value;
    whole
}
