// SPDX-License-Identifier: Apache-2.0
//! What can't be is refused, by ADD and STATUS alike, and nothing is changed.

use integration_tests::{Bench, changed};
use serde_json::{Value, json};

fn configuration(bench: &Bench, addresses: Value) -> Value {
    let ipam = json!({"type": "static", "addresses": addresses});
    changed(&bench.configuration(), "ipam", ipam)
}

#[test]
fn addresses_that_no_attachment_can_have() {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    for (addresses, words) in [
        (json!([{"address": "10.1.5.9"}]), "got: '10.1.5.9'"),
        (json!([{"address": "10.1.5.9/33"}]), "got: '10.1.5.9/33'"),
        (json!([{}]), "got: ''"),
        (
            json!([{"address": "0.0.0.0/0"}]),
            "no interface can have the address 0.0.0.0",
        ),
        (
            json!([{"address": "239.1.2.3/24"}]),
            "the address 239.1.2.3",
        ),
        (json!([{"address": "ff02::5/64"}]), "the address ff02::5"),
        (
            json!([{"address": "10.1.5.9/24", "gateway": "fd00::1"}]),
            "gateway fd00::1 of address 10.1.5.9/24 is of the other family",
        ),
        (
            json!([{"address": "10.1.5.9/24"}, {"address": "10.1.5.9/24"}]),
            "address 10.1.5.9/24 is given twice",
        ),
        (
            json!([{"address": "10.1.5.9/24", "gateway": "10.1.5"}]),
            "invalid IP address: 10.1.5",
        ),
    ] {
        for plugin in ["bridge", "static"] {
            let whole = configuration(&bench, addresses.clone());
            let whole = changed(&whole, "type", json!(plugin));
            for verb in ["ADD", "STATUS"] {
                let call = bench.call_with(verb, "a", &whole);
                bench.assert_refuses(&call, 7, &[words]);
            }
            bench
                .call_with("DEL", "a", &whole)
                .run(&bench.node)
                .assert_silent();
        }
    }
    assert_eq!(pod.interfaces(), [""; 0]);
}

#[test]
fn an_attachment_without_an_address() {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    let whole = configuration(&bench, json!([]));
    let call = bench.call_with("ADD", "a", &whole);
    bench.assert_refuses(&call, 101, &["IPAM plugin returned missing IP config"]);
    assert_eq!(pod.interfaces(), [""; 0]);
    // The runtime may have one for the next pod.
    bench
        .call_with("STATUS", "a", &whole)
        .run(&bench.node)
        .assert_silent();
}
