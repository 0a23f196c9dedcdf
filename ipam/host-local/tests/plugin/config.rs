// SPDX-License-Identifier: Apache-2.0

use serde_json::{Value, json};

use crate::{Host, addresses, assert_error, call};

#[test]
fn a_wrong_configuration_is_refused_with_the_reference_text() {
    let host = Host::new();
    let subnet = |subnet: &str| json!([[{ "subnet": subnet }]]);
    for (ranges, text) in [
        (json!([]), "no IP ranges specified"),
        (json!([[]]), "invalid range set 0: empty range set"),
        (
            subnet("10.0.0.0/31"),
            "invalid range set 0: Network 10.0.0.0/31 too small to allocate from",
        ),
        (
            subnet("10.0.0.5/24"),
            "invalid range set 0: Network has host bits set. For a subnet mask of length 24 the \
             network address is 10.0.0.0",
        ),
        (
            json!([[{ "subnet": "10.0.0.0/24" }], [{ "subnet": "10.1.0.0/24" }, { "subnet": "::/64" }]]),
            "invalid range set 1: mixed address families",
        ),
        (
            json!([[{ "subnet": "10.0.0.0/24", "rangeEnd": "10.0.1.0" }]]),
            "invalid range set 0: RangeEnd 10.0.1.0 not in network 10.0.0.0/24",
        ),
        (
            json!([[{ "subnet": "10.0.0.0/24" }, { "subnet": "10.0.0.0/25" }]]),
            "invalid range set 0: subnets 10.0.0.1-10.0.0.254 and 10.0.0.1-10.0.0.126 overlap",
        ),
        (
            json!([[{ "subnet": "10.0.0.0/24" }], [{ "subnet": "10.0.0.0/25" }]]),
            "range set 0 overlaps with 1",
        ),
    ] {
        assert_error(
            call("ADD", &host.conf(json!({ "ranges": ranges })), "a"),
            7,
            text,
        );
    }
    assert!(!host.data_dir().exists());
}

#[test]
fn a_value_of_the_wrong_kind_is_refused_and_named() {
    let host = Host::new();
    for (ipam, key) in [
        (json!({ "subnet": "10.0.0.0" }), "ipam.subnet"),
        (json!({ "subnet": 5 }), "ipam.subnet"),
        (
            json!({ "ranges": [[{ "subnet": "10.0.0.0/255.0.0.0" }]] }),
            "ipam.ranges[0][0].subnet",
        ),
        (
            json!({ "ranges": [[{ "gateway": "10.0.0.1" }]] }),
            "ipam.ranges[0][0]",
        ),
        (
            json!({ "ranges": { "subnet": "10.0.0.0/24" } }),
            "ipam.ranges",
        ),
        (
            json!({ "ranges": [[{ "subnet": "::/64", "gateway": "x" }]] }),
            "ipam.ranges[0][0].gateway",
        ),
        (
            json!({ "subnet": "10.0.0.0/8", "routes": [{ "dst": "x" }] }),
            "ipam.routes[0].dst",
        ),
        (
            json!({ "subnet": "10.0.0.0/8", "lockTimeout": "x" }),
            "ipam.lockTimeout",
        ),
        (
            json!({ "subnet": "10.0.0.0/8", "lockTimeout": -1 }),
            "lockTimeout",
        ),
        (
            json!({ "subnet": "10.0.0.0/8", "resolvConf": "/nowhere" }),
            "resolvConf /nowhere",
        ),
    ] {
        let (code, text) = call("ADD", &host.conf(ipam), "a").unwrap_err();
        assert!(text.contains(key), "{text}");
        assert!([5, 6, 7].contains(&code), "{code}: {text}");
    }
    assert!(!host.data_dir().exists());
}

#[test]
fn without_ipam_there_is_nothing_to_do() {
    let conf = json!({ "cniVersion": "1.0.0", "name": "net" });
    assert_error(call("ADD", &conf, "a"), 7, "IPAM config missing 'ipam' key");
}

#[test]
fn keys_match_in_any_case_and_null_is_absence() {
    let host = Host::new();
    let mut conf = host.conf(json!({
        "SubNet": "10.1.0.0/24",
        "RANGESTART": "10.1.0.9",
        "gateway": "",
        "rangeEnd": null,
        "ranges": null,
        "routes": null,
    }));
    conf["RuntimeConfig"] = json!({ "ipRanges": null, "ips": null });
    conf["args"] = Value::Null;
    assert_eq!(addresses(call("ADD", &conf, "a")), ["10.1.0.9/24"]);
}

#[test]
fn an_old_version_has_one_address_of_a_family() {
    let host = Host::new();
    let mut conf = host.conf(json!({ "ranges": [
        [{ "subnet": "10.1.0.0/24" }], [{ "subnet": "10.2.0.0/24" }], [{ "subnet": "::/64" }],
    ] }));
    conf["cniVersion"] = json!("0.2.0");
    let text = "CNI version 0.2.0 does not support more than 1 address per family";
    assert_error(call("ADD", &conf, "a"), 7, text);
    assert_eq!(call("DEL", &conf, "a"), Ok(Value::Null));
    conf["ipam"]["ranges"].as_array_mut().unwrap().remove(1);
    let result = call("ADD", &conf, "a").unwrap();
    assert_eq!(result["ip4"]["ip"], "10.1.0.2/24");
    assert_eq!(result["ip6"]["ip"], "::2/64");
}

#[test]
fn a_network_cannot_leave_its_directory() {
    let host = Host::new();
    for name in ["../up", "a/b", ".podwire", "..", ""] {
        let mut conf = host.one_subnet("10.1.0.0/24");
        conf["name"] = json!(name);
        for verb in ["ADD", "DEL"] {
            assert_eq!(call(verb, &conf, "a").unwrap_err().0, 7, "{verb} {name:?}");
        }
    }
    assert!(!host.data_dir().exists());
}
