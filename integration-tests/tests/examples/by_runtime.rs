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

/// Pods with an interface, and a namespace, of which some things are as they are wished.
pub(super) fn tuned(file: &str) {
    let example = Example::new(file);
    let env = [("CAP_ARGS", r#"{"mac": "02:00:00:00:00:99"}"#)];
    let (a, result) = example.attach("a", &env);
    let (b, _) = example.attach("b", &[]);
    let link = a.link("eth0");
    assert_eq!(
        (link.mtu, &*link.mac.to_string()),
        (1400, "02:00:00:00:00:99")
    );
    assert_eq!(result["interfaces"][2]["mac"], "02:00:00:00:00:99");
    for (path, value) in [
        ("net/core/somaxconn", "1024"),
        ("net/ipv4/conf/eth0/arp_ignore", "1"),
    ] {
        let found = a.run(|| net::sysctl::read(path));
        assert_eq!(found.expect("it is there"), value, "{path}");
    }
    for address in [b.ipv4("eth0"), addresses_of(&result, "gateway")[0]] {
        assert!(ping(&a, address, PATIENCE), "{address}");
    }
    assert!(ping(&b, a.ipv4("eth0"), PATIENCE));
    example.cnitool("del", &b, &[]).assert_silent();
    example.end(&[&a], &env);
}
