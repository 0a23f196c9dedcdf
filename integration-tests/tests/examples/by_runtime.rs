// SPDX-License-Identifier: Apache-2.0
//! Examples in which the runtime says what a pod gets.

use integration_tests::{PATIENCE, ping};

use crate::{Example, addresses as addresses_of, ip};

/// Pods with addresses that are chosen for them, and reach each other and their gateways.
pub(super) fn addresses(file: &str) {
    let example = Example::new(file);
    let chosen = |host| format!(r#"{{"ips": ["10.208.0.{host}/24", "fd00:208::{host}/64"]}}"#);
    let [for_a, for_b] = [11, 12].map(chosen);
    let [for_a, for_b] = [&for_a, &for_b].map(|arguments| [("CAP_ARGS", &**arguments)]);
    let (a, first) = example.attach("a", &for_a);
    let (b, _) = example.attach("b", &for_b);
    let addresses_of_a = ["10.208.0.11", "fd00:208::11"].map(ip);
    assert_eq!(addresses_of(&first, "address"), addresses_of_a);
    for address in addresses_of_a {
        assert!(ping(&b, address, PATIENCE), "{address}");
    }
    for address in addresses_of(&first, "gateway") {
        assert!(ping(&a, address, PATIENCE), "{address}");
    }
    example.cnitool("check", &b, &for_b).assert_silent();
    example.cnitool("del", &b, &for_b).assert_silent();
    example.end(&[&a], &for_a);
}
