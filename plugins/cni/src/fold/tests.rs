// SPDX-License-Identifier: Apache-2.0
use std::collections::BTreeMap;

use serde_json::json;

use super::*;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Conf {
    is_gateway: bool,
    mtu: u32,
    delta: i8,
    rate: f64,
    mode: Option<Mode>,
    labels: BTreeMap<String, String>,
    ipam: Option<Ipam>,
    anything: Option<Value>,
    #[serde(rename = "cni.dev/old-name", alias = "cni.dev/new-name")]
    renamed: Vec<String>,
    pair: Option<(u8, String)>,
    wrapped: Option<Wrapped>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Open,
    Closed,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Wrapped(u16);

#[derive(Debug, PartialEq, Deserialize)]
struct Ipam {
    #[serde(default)]
    ranges: Vec<Vec<Range>>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Range {
    subnet: crate::Cidr,
}

fn conf(value: &Value) -> Conf {
    from_value(value).unwrap()
}

fn refusal(value: &Value) -> Error {
    from_value::<Conf>(value).unwrap_err().into_error("wish")
}

#[test]
fn keys_match_without_regard_to_case() {
    let expected = Conf {
        is_gateway: true,
        ..Conf::default()
    };
    for key in ["isGateway", "ISGATEWAY", "isgateway", "IsGateWay"] {
        assert_eq!(conf(&json!({ key: true })), expected, "{key}");
    }
    assert_eq!(conf(&json!({ "CNI.dev/New-Name": ["a"] })).renamed, ["a"]);
}

#[test]
fn keys_match_at_every_depth() {
    let value = json!({ "IPAM": { "Ranges": [[{ "SubNet": "10.0.0.0/8" }]] } });
    let range = Range {
        subnet: "10.0.0.0/8".parse().unwrap(),
    };
    assert_eq!(
        conf(&value).ipam,
        Some(Ipam {
            ranges: vec![vec![range]]
        })
    );
}

#[test]
fn the_last_of_several_spellings_wins() {
    assert_eq!(conf(&json!({ "mtu": 1, "MTU": 2 })).mtu, 2);
    assert_eq!(conf(&json!({ "MTU": 2, "mtu": 1 })).mtu, 1);
    let same_spelling = serde_json::from_str(r#"{ "mtu": 1, "mtu": 2 }"#).unwrap();
    assert_eq!(conf(&same_spelling).mtu, 2);
}

#[test]
fn null_is_absence() {
    let nulls = json!({
        "isGateway": null, "mtu": null, "mode": null, "labels": null, "ipam": null, "rate": null,
        "anything": null, "cni.dev/old-name": null, "pair": null, "wrapped": null, "delta": null,
    });
    assert_eq!(conf(&nulls), Conf::default());
    assert_eq!(conf(&Value::Null), Conf::default());
    assert_eq!(conf(&json!({ "mtu": 1, "MTU": null })).mtu, 1);
    assert_eq!(
        conf(&json!({ "ipam": { "ranges": [null] } }))
            .ipam
            .unwrap()
            .ranges,
        [[]]
    );
}

#[test]
fn unknown_keys_are_ignored() {
    let value = json!({ "name": 5, "unknown": { "mtu": "x" }, "mtu": 1 });
    assert_eq!(conf(&value).mtu, 1);
}

#[test]
fn keys_of_maps_and_of_unread_values_stay_as_they_are() {
    let value = json!({ "labels": { "Mtu": "a", "mtu": "b" }, "anything": { "X": null } });
    let conf = conf(&value);
    assert_eq!(conf.labels.len(), 2);
    assert_eq!(conf.anything, Some(json!({ "X": null })));
}

#[test]
fn whole_numbers_may_be_written_as_floats() {
    let read = |text: &str| conf(&serde_json::from_str(text).unwrap());
    assert_eq!(read(r#"{ "mtu": 1500.0, "delta": -3.0 }"#).mtu, 1500);
    assert_eq!(read(r#"{ "delta": -3.0 }"#).delta, -3);
    assert_eq!(read(r#"{ "mtu": 1.5e3 }"#).mtu, 1500);
    assert_eq!(read(r#"{ "mtu": -0.0 }"#).mtu, 0);
    assert_eq!(read(r#"{ "rate": 2 }"#).rate.to_string(), "2");
}

#[test]
fn numbers_out_of_range_are_refused() {
    for number in [
        "-1",
        "1.5",
        "1e300",
        "4294967296",
        "1e10",
        "18446744073709551616",
    ] {
        let text = format!(r#"{{ "mtu": {number} }}"#);
        let error = refusal(&serde_json::from_str(&text).unwrap());
        assert!(error.msg.starts_with("wish: mtu: expected "), "{error}");
    }
}

#[test]
fn enums_newtypes_and_tuples_are_read() {
    let conf = conf(&json!({ "mode": "closed", "wrapped": 7, "pair": [1, "a"] }));
    assert_eq!(conf.mode, Some(Mode::Closed));
    assert_eq!(conf.wrapped, Some(Wrapped(7)));
    assert_eq!(conf.pair, Some((1, "a".to_owned())));
}

#[test]
fn a_wrong_type_is_a_decode_failure_that_names_the_key() {
    let cases = [
        (json!([]), "expected an object, found an array"),
        (json!("x"), r#"expected an object, found "x""#),
        (
            json!({ "isGateway": "yes" }),
            r#"isGateway: expected true or false, found "yes""#,
        ),
        (
            json!({ "mtu": true }),
            "mtu: expected a whole number, found true",
        ),
        (json!({ "mode": 3 }), "mode: expected a string, found 3"),
        (
            json!({ "labels": { "a": null } }),
            "labels.a: expected a string, found null",
        ),
        (
            json!({ "labels": { "a.b": {} } }),
            "labels.a.b: expected a string, found an object",
        ),
        (
            json!({ "ipam": { "ranges": {} } }),
            "ipam.ranges: expected an array, found an object",
        ),
        (
            json!({ "IPAM": { "ranges": [[], [{ "Subnet": 1 }]] } }),
            "IPAM.ranges[1][0].Subnet: expected a string, found 1",
        ),
        (
            json!({ "cni.dev/new-name": [1] }),
            "cni.dev/new-name[0]: expected a string, found 1",
        ),
    ];
    for (value, cause) in cases {
        let expected = Error::new(Code::DECODE, format!("wish: {cause}"));
        assert_eq!(refusal(&value), expected);
    }
}

#[test]
fn a_wrong_value_is_an_invalid_configuration_that_names_the_key() {
    let cases = [
        (
            json!({ "ipam": { "ranges": [[{ "subnet": "10.0.0.0" }]] } }),
            "ipam.ranges[0][0].subnet: invalid CIDR address: 10.0.0.0",
        ),
        (
            json!({ "ipam": { "ranges": [[{}]] } }),
            "ipam.ranges[0][0]: missing field `subnet`",
        ),
        (
            json!({ "ipam": { "ranges": [[null]] } }),
            "ipam.ranges[0][0]: missing field `subnet`",
        ),
        (
            json!({ "delta": 300 }),
            "delta: expected i8, found integer `300`",
        ),
        (
            json!({ "mode": "ajar" }),
            "mode: unknown variant `ajar`, expected `open` or `closed`",
        ),
    ];
    for (value, cause) in cases {
        let expected = Error::new(Code::INVALID_CONFIG, format!("wish: {cause}"));
        assert_eq!(refusal(&value), expected);
    }
}

#[test]
fn single_fields_fold_too() {
    let value = json!({ "Type": "a", "TYPE": "b", "type": null });
    assert_eq!(field(&value, "type"), Some(&json!("b")));
    assert_eq!(occurrences(&value, "type").count(), 3);
    assert_eq!(field(&value, "typ"), None);
    assert_eq!(field(&json!([]), "type"), None);
}
