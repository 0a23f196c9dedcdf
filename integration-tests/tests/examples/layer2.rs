// SPDX-License-Identifier: Apache-2.0
//! Examples without addresses, and those that need VLANs.

use integration_tests::uml::filters_vlans;
use integration_tests::{BRIEFLY, PATIENCE, ping};
use serde_json::Value;

use crate::{Example, give, ip};

/// Pods that reach each other by addresses that the plugin does not know.
pub(crate) fn plain(file: &str) {
    let example = Example::new(file);
    let ((a, first), (b, _)) = (example.attach("a", &[]), example.attach("b", &[]));
    assert_eq!(first["ips"], Value::Null);
    give(&a, "eth0", "192.0.2.1/24");
    give(&b, "eth0", "192.0.2.2/24");
    assert!(ping(&a, ip("192.0.2.2"), PATIENCE));
    example.end(&[&a, &b], &[]);
}

/// The same, untagged, in a VLAN of the trunk, and not in another one.
pub(crate) fn trunk(file: &str) {
    let example = Example::new(file);
    let ((a, _), (b, _)) = (example.attach("a", &[]), example.attach("b", &[]));
    for (pod, host) in [(&a, 1), (&b, 2)] {
        give(pod, "eth0", &format!("192.0.2.{host}/28"));
        for (vlan, subnet) in [(42, 16), (1010, 32), (43, 48)] {
            let name = format!("eth0.{vlan}");
            pod.ip(&format!(
                "link add link eth0 name {name} up type vlan id {vlan}"
            ));
            give(pod, &name, &format!("192.0.2.{}/28", subnet + host));
        }
    }
    for address in ["192.0.2.2", "192.0.2.18", "192.0.2.34"] {
        assert!(ping(&a, ip(address), PATIENCE), "{address}");
    }
    assert!(
        !ping(&a, ip("192.0.2.50"), BRIEFLY),
        "VLAN 43 is not of the trunk"
    );
    for pod in [&a, &b] {
        for vlan in [42, 1010, 43] {
            pod.ip(&format!("link delete eth0.{vlan}"));
        }
    }
    example.end(&[&a, &b], &[]);
}

#[test]
fn without_vlan_filtering_the_vlan_examples_fail_and_say_why() {
    if filters_vlans() {
        return;
    }
    for file in ["vlan-access.conflist", "vlan-trunk.conflist"] {
        let example = Example::new(file);
        let pod = example.node.pod("a");
        let refused = || {
            let outcome = example.cnitool("add", &pod, &[]);
            assert!(!outcome.success(), "{outcome}");
            assert!(outcome.stderr.contains("VLAN filtering"), "{outcome}");
            assert_eq!(pod.interfaces(), [""; 0]);
            example.assert_nothing_left();
            example.cnitool("del", &pod, &[]).assert_silent();
        };
        refused();
        let bridge = example.bridge();
        assert_eq!(example.node.interfaces(), [""; 0]);
        // The same of a bridge that is there already.
        example.node.ip(&format!("link add {bridge} type bridge"));
        refused();
    }
}
