// SPDX-License-Identifier: Apache-2.0
//! Who has the last word on addresses, and what is refused.

use super::*;

fn read(keys: &str, args: &[(&str, &str)], version: &str) -> Result<Conf, Error> {
    let text = format!(r#"{{"cniVersion": "{version}", "name": "net", "type": "bridge", {keys}}}"#);
    let args = args
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()));
    Conf::new(&Network::parse(text.as_bytes()).unwrap(), &args.collect())
}

/// The addresses with their gateways, as `ADDRESS GATEWAY`.
fn addresses(keys: &str, args: &[(&str, &str)]) -> Vec<String> {
    let conf = read(keys, args, "1.0.0").unwrap();
    let text = |address: &Address| match address.gateway {
        Some(gateway) => format!("{} {gateway}", address.network),
        None => address.network.to_string(),
    };
    conf.addresses.iter().map(text).collect()
}

const OWN: &str = r#""ipam": {"addresses": [{"address": "10.1.2.3/24", "gateway": "10.1.2.1"}]}"#;

#[test]
fn args_are_added_and_lists_replace() {
    assert_eq!(addresses(OWN, &[]), ["10.1.2.3/24 10.1.2.1"]);
    let args = [
        ("IP", "10.9.0.9/16, fd00::9/64"),
        ("GATEWAY", "10.9.0.1,fd00::1 , 192.0.2.1"),
    ];
    let both = [
        "10.1.2.3/24 10.1.2.1",
        "10.9.0.9/16 10.9.0.1",
        "fd00::9/64 fd00::1",
    ];
    assert_eq!(addresses(OWN, &args), both);
    let cni = format!(r#"{OWN}, "args": {{"cni": {{"ips": ["10.3.0.3/24"]}}}}"#);
    assert_eq!(addresses(&cni, &args), ["10.3.0.3/24"]);
    let runtime = format!(r#"{cni}, "runtimeConfig": {{"ips": ["10.4.0.4/24"]}}"#);
    assert_eq!(addresses(&runtime, &args), ["10.4.0.4/24"]);
    let empty = format!(r#"{OWN}, "args": {{"cni": {{"ips": []}}}}, "runtimeConfig": {{}}"#);
    assert_eq!(
        addresses(&empty, &[("IP", ""), ("GATEWAY", "")]),
        ["10.1.2.3/24 10.1.2.1"]
    );
}

#[test]
fn a_gateway_of_args_is_none_of_the_configurations_own_addresses() {
    let own = r#""ipam": {"addresses": [{"address": "10.1.2.3/24"}]}"#;
    assert_eq!(addresses(own, &[("GATEWAY", "10.1.2.1")]), ["10.1.2.3/24"]);
}

#[test]
fn what_is_replaced_may_be_anything() {
    let keys = r#""ipam": {"addresses": [{"address": "by the runtime"}]},
        "runtimeConfig": {"ips": ["10.4.0.4/24"]}"#;
    assert_eq!(addresses(keys, &[]), ["10.4.0.4/24"]);
}

#[test]
fn what_is_no_address_is_refused_with_its_place() {
    let own = |address: &str| format!(r#""ipam": {{"addresses": [{address}]}}"#);
    let list = r#""ipam": {}, "runtimeConfig": {"ips": ["10.1.2.3"]}"#;
    for (keys, args, code, words) in [
        (r#""mtu": 0"#.to_owned(), "", 7, "missing 'ipam' key"),
        (
            own("{}"),
            "",
            7,
            "the 'address' field is expected to be in CIDR notation, got: ''",
        ),
        (own(r#"{"address": "10.1.2.3"}"#), "", 7, "got: '10.1.2.3'"),
        (
            own(r#"{"address": "10.1.2.3/24", "gateway": "x"}"#),
            "",
            7,
            "ipam.addresses[0].gateway: invalid IP address: x",
        ),
        (
            list.to_owned(),
            "",
            7,
            "an entry in the 'ips' field is NOT in CIDR notation",
        ),
        (
            OWN.to_owned(),
            "10.1.2.9/24,",
            4,
            "the 'ip' field is expected to be in CIDR notation",
        ),
        (
            OWN.to_owned(),
            "10.1.2.3/24",
            7,
            "address 10.1.2.3/24 is given twice",
        ),
    ] {
        let error = read(&keys, &[("IP", args)], "1.0.0").unwrap_err();
        assert_eq!(error.code, Code(code), "{error}");
        assert!(error.msg.contains(words), "{error}");
    }
    let error = read(OWN, &[("GATEWAY", "10.1.2")], "1.0.0").unwrap_err();
    assert_eq!(error.code, Code::INVALID_ENVIRONMENT);
    assert_eq!(error.msg, "CNI_ARGS: invalid gateway address: 10.1.2");
}

#[test]
fn old_versions_have_one_address_of_each_family() {
    let mixed = [("IP", "fd00::9/64")];
    assert!(read(OWN, &mixed, "0.2.0").is_ok());
    let two = [("IP", "10.1.2.4/24")];
    assert!(read(OWN, &two, "0.3.0").is_ok());
    let error = read(OWN, &two, "0.2.0").unwrap_err();
    assert_eq!(
        error.msg,
        "CNI version 0.2.0 does not support more than 1 address per family"
    );
}
