// SPDX-License-Identifier: Apache-2.0
//! What can't be is refused before anything is changed, with a sentence that says why.

use integration_tests::State;
use serde_json::{Value, json};

use crate::site::{Site, both, network};

fn mapping(keys: &Value) -> Value {
    let mut mapping = json!({"hostPort": 8080, "containerPort": 80, "protocol": "tcp"});
    for (key, value) in keys.as_object().expect("an object") {
        mapping[key] = value.clone();
    }
    mapping
}

#[test]
fn mappings_that_can_not_be() {
    let site = Site::new();
    for (keys, text) in [
        (json!({"hostPort": 0}), "Invalid host port number: 0"),
        (
            json!({"hostPort": 65_536}),
            "Invalid host port number: 65536",
        ),
        (json!({"hostPort": -1}), "Invalid host port number: -1"),
        (
            json!({"containerPort": 0}),
            "Invalid container port number: 0",
        ),
        (
            json!({"containerPort": 65_536}),
            "Invalid container port number: 65536",
        ),
        (json!({"protocol": "icmp"}), "unknown protocol \"icmp\""),
        (json!({"hostIP": "192.0.2"}), "invalid hostIP \"192.0.2\""),
        (
            json!({"hostIP": "::1"}),
            "hostIP ::1 can't lead to a container",
        ),
    ] {
        let refused = site.refused(&network(json!([mapping(&keys)])));
        assert_eq!(refused.0, 7, "{keys}");
        assert!(refused.1.contains(text), "{keys}: {}", refused.1);
    }
    let twice = json!([
        mapping(&json!({})),
        mapping(&json!({"hostIP": "192.0.2.2"}))
    ]);
    let (code, text) = site.refused(&network(twice));
    assert_eq!(code, 7);
    assert!(
        text.contains("portMappings has host port 8080 twice"),
        "{text}"
    );
}

#[test]
fn a_family_that_the_container_lacks() {
    let site = Site::new();
    let v4 = json!({"ipam": {"type": "host-local", "ranges": [[{"subnet": "10.88.0.0/24"}]]}});
    for host_ip in ["2001:db8::2", "::"] {
        let mappings = json!([mapping(&json!({"hostIP": host_ip}))]);
        let (code, text) = site.refused(&network(mappings).with_at(0, &v4));
        assert_eq!(code, 7);
        assert!(text.contains(&format!("hostIP {host_ip}")), "{text}");
    }
}

#[test]
fn keys_that_can_not_be() {
    let site = Site::new();
    for (keys, text) in [
        (
            json!({"markMasqBit": 32}),
            "MasqMarkBit must be between 0 and 31",
        ),
        (
            json!({"markMasqBit": 13, "externalSetMarkChain": "KUBE-MARK-MASQ"}),
            "Cannot specify externalSetMarkChain and markMasqBit",
        ),
        (
            json!({"externalSetMarkChain": "MINE"}),
            "\"MINE\" is not known",
        ),
        (
            json!({"backend": "ebtables"}),
            "unrecognized backend \"ebtables\"",
        ),
        (
            json!({"conditionsV4": ["!", "-s", "10.0.0.0/8"]}),
            r#"write ["ip", "saddr", "!=", "10.0.0.0/8"]"#,
        ),
        (
            json!({"conditionsV6": ["ip6", "hoplimit", "5"]}),
            "\"hoplimit\"",
        ),
    ] {
        let refused = site.refused(&network(both(8080)).with_at(1, &keys));
        assert_eq!(refused.0, 7, "{keys}");
        assert!(refused.1.contains(text), "{keys}: {}", refused.1);
        let status = site.runner.status(&network(both(8080)).with_at(1, &keys));
        assert_eq!(status.unwrap_err().error().0, 7, "{keys}");
    }
}

#[test]
fn a_result_that_is_missing_or_not_true() {
    let site = Site::new();
    let network = network(both(8080));
    let pod = site.bare(&network);
    let before = State::of(&site.node);
    let refused = |verb: &str, result: Option<&Value>| {
        let outcome = site
            .portmap_with(verb, &network, &pod, result)
            .run(&site.node);
        assert!(!outcome.success());
        outcome.error()
    };
    let (code, text) = refused("ADD", None);
    assert_eq!(code, 7);
    assert!(text.contains("must be called as chained plugin"), "{text}");
    assert!(
        refused("CHECK", None)
            .1
            .contains("Required prevResult missing")
    );
    let result = |address: &str| {
        json!({
            "cniVersion": network.version(),
            "interfaces": [{"name": "eth0", "sandbox": pod.netns()}],
            "ips": [{"address": address, "interface": 0}],
        })
    };
    let (code, text) = refused("ADD", Some(&result("10.88.0.99/24")));
    assert_eq!(code, 7);
    assert!(
        text.contains("\"eth0\" has no address 10.88.0.99"),
        "{text}"
    );
    let nothing = json!({"cniVersion": network.version()});
    let (code, text) = refused("ADD", Some(&nothing));
    assert_eq!(code, 7);
    assert!(text.contains("host port 8080 leads nowhere"), "{text}");
    before.assert_nothing_left(&site.node, &[]);
}
