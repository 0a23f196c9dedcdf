// SPDX-License-Identifier: Apache-2.0
use serde_json::json;

use super::*;
use crate::{Dns, Interface, Ip, Route};

/// A result that uses everything there is.
fn full() -> AddResult {
    AddResult {
        interfaces: vec![
            Interface {
                name: "cni0".into(),
                mac: Some("02:00:00:00:00:01".into()),
                ..Interface::default()
            },
            Interface {
                name: "eth0".into(),
                mac: Some("02:00:00:00:00:02".into()),
                mtu: Some(1450),
                sandbox: Some("/run/netns/a".into()),
                socket_path: Some("/run/vhost.sock".into()),
                pci_id: Some("0000:00:01.0".into()),
            },
        ],
        ips: vec![
            ip("10.1.2.3/24", Some("10.1.2.1"), Some(1)),
            ip("10.9.0.7/16", None, Some(0)),
            ip("2001:db8::3/64", Some("2001:db8::1"), None),
        ],
        routes: vec![
            Route {
                mtu: Some(1400),
                advmss: Some(1360),
                priority: Some(100),
                table: Some(0),
                scope: Some(253),
                ..route("0.0.0.0/0", Some("10.1.2.1"))
            },
            route("2001:db8:1::/48", None),
        ],
        dns: Dns {
            nameservers: vec!["10.0.0.10".into()],
            domain: Some("cluster.local".into()),
            search: vec!["svc.cluster.local".into()],
            options: vec!["ndots:5".into()],
        },
    }
}

fn ip(address: &str, gateway: Option<&str>, interface: Option<usize>) -> Ip {
    let gateway = gateway.map(|gateway| gateway.parse().unwrap());
    Ip {
        address: address.parse().unwrap(),
        gateway,
        interface,
    }
}

fn route(dst: &str, gw: Option<&str>) -> Route {
    Route::new(dst.parse().unwrap(), gw.map(|gw| gw.parse().unwrap()))
}

fn json(result: &AddResult, version: Version) -> Value {
    serde_json::from_str(&result.to_json(version).unwrap()).unwrap()
}

fn with_version(mut value: Value, version: Version) -> Value {
    value["cniVersion"] = json!(version);
    value
}

#[test]
fn results_of_1_x_have_everything() {
    let expected = json!({
        "cniVersion": "1.1.0",
        "interfaces": [
            { "name": "cni0", "mac": "02:00:00:00:00:01" },
            {
                "name": "eth0", "mac": "02:00:00:00:00:02", "mtu": 1450, "sandbox": "/run/netns/a",
                "socketPath": "/run/vhost.sock", "pciID": "0000:00:01.0",
            },
        ],
        "ips": [
            { "address": "10.1.2.3/24", "gateway": "10.1.2.1", "interface": 1 },
            { "address": "10.9.0.7/16", "interface": 0 },
            { "address": "2001:db8::3/64", "gateway": "2001:db8::1" },
        ],
        "routes": [
            {
                "dst": "0.0.0.0/0", "gw": "10.1.2.1", "mtu": 1400, "advmss": 1360, "priority": 100,
                "table": 0, "scope": 253,
            },
            { "dst": "2001:db8:1::/48" },
        ],
        "dns": {
            "nameservers": ["10.0.0.10"], "domain": "cluster.local",
            "search": ["svc.cluster.local"], "options": ["ndots:5"],
        },
    });
    assert_eq!(json(&full(), Version::V1_1_0), expected);
    assert_eq!(
        json(&full(), Version::V1_0_0),
        with_version(expected, Version::V1_0_0)
    );
}

#[test]
fn results_of_0_3_and_0_4_say_the_family_and_less_of_interfaces() {
    for version in [Version::V0_3_0, Version::V0_3_1, Version::V0_4_0] {
        let mut expected = with_version(json(&full(), Version::V1_1_0), version);
        for (i, family) in ["4", "4", "6"].into_iter().enumerate() {
            expected["ips"][i]["version"] = json!(family);
        }
        for key in ["mtu", "socketPath", "pciID"] {
            expected["interfaces"][1]
                .as_object_mut()
                .unwrap()
                .remove(key);
        }
        assert_eq!(json(&full(), version), expected);
    }
}

#[test]
fn results_before_0_3_have_the_first_address_of_each_family() {
    for version in [Version::V0_1_0, Version::V0_2_0] {
        let expected = json!({
            "cniVersion": version,
            "ip4": {
                "ip": "10.1.2.3/24", "gateway": "10.1.2.1",
                "routes": [{ "dst": "0.0.0.0/0", "gw": "10.1.2.1" }],
            },
            "ip6": {
                "ip": "2001:db8::3/64", "gateway": "2001:db8::1",
                "routes": [{ "dst": "2001:db8:1::/48" }],
            },
            "dns": {
                "nameservers": ["10.0.0.10"], "domain": "cluster.local",
                "search": ["svc.cluster.local"], "options": ["ndots:5"],
            },
        });
        assert_eq!(json(&full(), version), expected);
    }
}

#[test]
fn routes_of_a_family_without_address_cannot_be_said_before_0_3() {
    let mut result = full();
    result.ips.truncate(1);
    let json = json(&result, Version::V0_2_0);
    assert_eq!(json.get("ip6"), None);
    assert_eq!(json["ip4"]["routes"].as_array().unwrap().len(), 1);
}

#[test]
fn empty_parts_are_left_out_but_dns_before_1_0() {
    let empty = AddResult::default();
    assert_eq!(
        json(&empty, Version::V1_1_0),
        json!({ "cniVersion": "1.1.0" })
    );
    assert_eq!(
        json(&empty, Version::V0_4_0),
        json!({ "cniVersion": "0.4.0", "dns": {} })
    );
    let one = AddResult {
        ips: vec![ip("10.0.0.1/8", None, None)],
        ..AddResult::default()
    };
    let expected = json!({ "cniVersion": "0.2.0", "ip4": { "ip": "10.0.0.1/8" }, "dns": {} });
    assert_eq!(json(&one, Version::V0_2_0), expected);
}

#[test]
fn no_addresses_cannot_be_said_before_0_3() {
    let mut result = full();
    result.ips.clear();
    for version in Version::ALL {
        let written = result.to_json(version).map(|_| ());
        assert_eq!(written, result.expressible(version));
        assert_eq!(written.is_ok(), version >= Version::V0_3_0);
    }
    let error = result.expressible(Version::V0_1_0).unwrap_err();
    assert_eq!(error.code, Code::INCOMPATIBLE_VERSION);
    assert_eq!(error.msg, "cannot convert: no valid IP addresses");
}

#[test]
fn json_is_indented_by_four_and_ends_without_newline() {
    let result = AddResult {
        ips: vec![ip("10.0.0.1/8", None, Some(0))],
        ..AddResult::default()
    };
    let expected = r#"{
    "cniVersion": "1.0.0",
    "ips": [
        {
            "address": "10.0.0.1/8",
            "interface": 0
        }
    ]
}"#;
    assert_eq!(result.to_json(Version::V1_0_0).unwrap(), expected);
}

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
