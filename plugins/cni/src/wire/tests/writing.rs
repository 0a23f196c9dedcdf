// SPDX-License-Identifier: Apache-2.0
use super::*;

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
        let written = result.to_json(version);
        assert_eq!(written.is_ok(), version >= Version::V0_3_0);
    }
    let error = result.to_json(Version::V0_1_0).unwrap_err();
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
