// SPDX-License-Identifier: Apache-2.0
use super::*;

#[test]
fn every_version_reads_what_it_writes() {
    for version in Version::ALL {
        let json = json(&full(), version);
        let read = AddResult::parse(&json, version).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&read.to_json(version).unwrap()).unwrap(),
            json
        );
        if version >= Version::V1_0_0 {
            assert_eq!(read, full());
        }
    }
}

#[test]
fn old_results_become_lists_with_routes_of_v4_first() {
    let old = json!({
        "ip6": { "ip": "2001:db8::3/64", "routes": [{ "dst": "::/0", "gw": "2001:db8::1" }] },
        "ip4": { "ip": "10.1.2.3/24", "gateway": "10.1.2.1", "routes": [{ "dst": "0.0.0.0/0" }] },
    });
    let expected = AddResult {
        ips: vec![
            ip("10.1.2.3/24", Some("10.1.2.1"), None),
            ip("2001:db8::3/64", None, None),
        ],
        routes: vec![route("0.0.0.0/0", None), route("::/0", Some("2001:db8::1"))],
        ..AddResult::default()
    };
    assert_eq!(AddResult::parse(&old, Version::V0_2_0), Ok(expected));
}

#[test]
fn a_result_says_its_own_version_or_has_the_configurations() {
    let old = |version: Value| json!({ "cniVersion": version, "ip4": { "ip": "10.0.0.1/8" } });
    for version in [json!("0.1.0"), json!("0.2.0"), json!(""), json!(null)] {
        assert_eq!(
            AddResult::parse(&old(version), Version::V0_2_0)
                .unwrap()
                .ips
                .len(),
            1
        );
    }
    let families = [
        (Version::V0_1_0, Version::V0_2_0),
        (Version::V0_3_0, Version::V0_4_0),
        (Version::V1_0_0, Version::V1_1_0),
    ];
    for config in Version::ALL {
        for version in Version::ALL {
            let same = families.iter().any(|&(low, high)| {
                (low..=high).contains(&config) && (low..=high).contains(&version)
            });
            let parsed = AddResult::parse(&json!({ "cniVersion": version }), config);
            assert_eq!(parsed.is_ok(), same, "{version} under {config}");
            assert!(AddResult::parse_any(&json!({ "cniVersion": version }), config).is_ok());
        }
    }
}

#[test]
fn null_is_the_empty_result() {
    for version in Version::ALL {
        assert_eq!(
            AddResult::parse(&Value::Null, version),
            Ok(AddResult::default())
        );
    }
}

#[test]
fn what_go_leaves_out_is_read_as_absent() {
    let value = json!({
        "interfaces": [{ "name": "a", "mac": "", "sandbox": "", "mtu": 0, "pciID": "", "socketPath": "" }],
        "ips": [{ "version": "4", "address": "10.0.0.1/8", "gateway": "", "interface": null }],
        "routes": [{ "dst": "0.0.0.0/0", "gw": "", "mtu": 0, "advmss": 0, "priority": 0 }],
        "dns": { "domain": "" },
    });
    let expected = AddResult {
        interfaces: vec![Interface {
            name: "a".into(),
            ..Interface::default()
        }],
        ips: vec![ip("10.0.0.1/8", None, None)],
        routes: vec![route("0.0.0.0/0", None)],
        dns: Dns::default(),
    };
    assert_eq!(AddResult::parse(&value, Version::V1_1_0), Ok(expected));
}

#[test]
fn a_malformed_result_is_refused_with_its_key() {
    let cases = [
        (json!([]), "expected an object, found an array"),
        (
            json!({ "ips": {} }),
            "ips: expected an array, found an object",
        ),
        (json!({ "ips": [{}] }), "ips[0]: missing field `address`"),
        (
            json!({ "ips": [{ "address": "10.0.0.1" }] }),
            "ips[0].address: invalid CIDR address: 10.0.0.1",
        ),
        (
            json!({ "ips": [{ "address": "10.0.0.1/8", "gateway": "x" }] }),
            "ips[0].gateway: invalid IP address: x",
        ),
        (
            json!({ "ips": [{ "address": "10.0.0.1/8", "interface": -1 }] }),
            "ips[0].interface: expected usize, found integer `-1`",
        ),
        (
            json!({ "routes": [{ "gw": "::1" }] }),
            "routes[0]: missing field `dst`",
        ),
        (
            json!({ "interfaces": [3] }),
            "interfaces[0]: expected an object, found 3",
        ),
        (
            json!({ "dns": [] }),
            "dns: expected an object, found an array",
        ),
    ];
    for (value, cause) in cases {
        let error = AddResult::parse(&value, Version::V1_0_0).unwrap_err();
        assert_eq!(
            error.msg,
            format!("cannot read a result of CNI 1.0.0: {cause}")
        );
    }
    let odd = AddResult::parse(&json!({ "cniVersion": 1 }), Version::V1_0_0).unwrap_err();
    assert_eq!(
        odd.msg,
        "cannot read a result: cniVersion: expected a string, found 1"
    );
    let unknown = AddResult::parse(&json!({ "cniVersion": "3" }), Version::V1_0_0).unwrap_err();
    assert_eq!(unknown.code, Code::INCOMPATIBLE_VERSION);
}
