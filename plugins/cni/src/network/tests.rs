// SPDX-License-Identifier: Apache-2.0
use serde_json::json;

use super::*;

fn refusal(stdin: impl AsRef<[u8]>) -> Error {
    Network::parse(stdin.as_ref()).unwrap_err()
}

#[test]
fn a_configuration_has_a_name_and_a_version() {
    for version in Version::ALL {
        let stdin = json!({ "cniVersion": version, "name": "a" }).to_string();
        let network = Network::parse(stdin.as_bytes()).unwrap();
        assert_eq!((network.name.as_str(), network.version), ("a", version));
        assert_eq!(network.stdin(), stdin.as_bytes());
    }
}

#[test]
fn no_version_is_the_first() {
    for stdin in [
        r#"{"name":"a"}"#,
        r#"{"name":"a","cniVersion":""}"#,
        r#"{"NAME":"a","cniversion":null}"#,
    ] {
        assert_eq!(
            Network::parse(stdin.as_bytes()).unwrap().version,
            Version::V0_1_0
        );
    }
}

#[test]
fn an_unsupported_version_is_named_with_the_supported_ones() {
    for version in ["2.0.0", "1.1", "0.3", "v1.0.0", "x\"y"] {
        let error = refusal(json!({ "cniVersion": version, "name": "a" }).to_string());
        assert_eq!(error.code, Code::INCOMPATIBLE_VERSION);
        assert_eq!(error.msg, "incompatible CNI versions");
        let expected = format!(
            r#"config is {version:?}, plugin supports ["0.1.0" "0.2.0" "0.3.0" "0.3.1" "0.4.0" "1.0.0" "1.1.0"]"#
        );
        assert_eq!(error.details, Some(expected));
    }
}

#[test]
fn a_version_that_the_plugin_does_not_speak_is_refused() {
    let since = [Version::V0_4_0, Version::V1_0_0];
    let error = Network::of_call(br#"{"name":"a"}"#, &since, Environment::default()).unwrap_err();
    let expected = r#"config is "0.1.0", plugin supports ["0.4.0" "1.0.0"]"#;
    assert_eq!(error.details.as_deref(), Some(expected));
}

#[test]
fn a_missing_name_is_refused() {
    for stdin in [
        "{}",
        "null",
        r#"{"name":""}"#,
        r#"{"name":null}"#,
        r#"{"cniVersion":"1.0.0"}"#,
    ] {
        assert_eq!(
            refusal(stdin),
            Error::new(Code::INVALID_CONFIG, "missing network name")
        );
    }
}

#[test]
fn an_invalid_name_is_refused() {
    for name in ["-a", ".", "a/b", "a b", "ü", "../../etc", "a\n"] {
        let error = refusal(json!({ "name": name }).to_string());
        let expected = Error::new(
            Code::INVALID_CONFIG,
            "invalid characters found in network name",
        );
        assert_eq!(error, expected.with_details(name));
    }
}

#[test]
fn stdin_must_be_one_json_object() {
    let eof = "error unmarshall network config: unexpected end of JSON input";
    for stdin in ["", "  \n", "{", r#"{"name":"#, r#"{"name":"a"#] {
        assert_eq!(refusal(stdin), Error::new(Code::DECODE, eof), "{stdin}");
    }
    let garbage: [&[u8]; 9] = [
        b"[]",
        b"\"a\"",
        b"7",
        b"{'name':'a'}",
        br#"{"name":"a"} x"#,
        br#"{"name":"a"}{"name":"a"}"#,
        br#"{"name":"a",}"#,
        b"\xef\xbb\xbf{\"name\":\"a\"}",
        b"{\"name\":\"\xff\"}",
    ];
    for stdin in garbage {
        let error = refusal(stdin);
        assert_eq!(error.code, Code::DECODE);
        assert!(
            error.msg.starts_with("error unmarshall network config: "),
            "{error}"
        );
    }
    let deep = format!(
        r#"{{"name":"a","x":{}{}}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    assert_eq!(refusal(deep).code, Code::DECODE);
}

#[test]
fn mistyped_name_and_version_are_decode_failures() {
    let expected = "error unmarshall network config: name: expected a string, found 5";
    assert_eq!(refusal(r#"{"name":5}"#), Error::new(Code::DECODE, expected));
    let expected = "error unmarshall network config: cniVersion: expected a string, found 1.0";
    assert_eq!(
        refusal(r#"{"name":"a","cniVersion":1.0}"#),
        Error::new(Code::DECODE, expected)
    );
}

#[test]
fn ipam_type_is_empty_or_something() {
    let ipam_type = |ipam: Value| {
        let stdin = json!({ "name": "a", "IPAM": ipam }).to_string();
        let network = Network::parse(stdin.as_bytes()).unwrap();
        (
            network.ipam_type().map(str::to_owned),
            network.ipam().map(|_| ()).map_err(|e| e.to_string()),
        )
    };
    assert_eq!(
        ipam_type(json!({ "Type": "host-local" })),
        (Some("host-local".to_owned()), Ok(()))
    );
    for nothing in [
        json!(null),
        json!({}),
        json!({ "type": "" }),
        json!({ "type": null }),
    ] {
        assert_eq!(ipam_type(nothing), (None, Ok(())));
    }
    let expected =
        "cannot read the configuration of network \"a\": IPAM: expected an object, found \"x\"";
    assert_eq!(ipam_type(json!("x")), (None, Err(expected.to_owned())));
    let expected =
        "cannot read the configuration of network \"a\": IPAM.type: expected a string, found 1";
    assert_eq!(
        ipam_type(json!({ "type": 1 })),
        (None, Err(expected.to_owned()))
    );
}

#[test]
fn a_failure_to_read_a_plugins_own_keys_names_network_and_key() {
    #[derive(Debug, Deserialize)]
    struct Conf {
        #[serde(default, rename = "isGateway")]
        is_gateway: bool,
    }
    let conf = |stdin: &[u8]| Network::parse(stdin).unwrap().conf::<Conf>();
    assert!(
        conf(br#"{"name":"a","ISGATEWAY":true,"isgateway":null}"#)
            .unwrap()
            .is_gateway
    );
    let msg = "cannot read the configuration of network \"a\": isGateway: expected true or false, found 1";
    assert_eq!(
        conf(br#"{"name":"a","isGateway":1}"#).unwrap_err(),
        Error::new(Code::DECODE, msg)
    );
}

#[test]
fn errors_name_the_version_of_the_configuration_when_it_is_known() {
    for (stdin, expected) in [
        (r#"{"cniVersion":"0.4.0"}"#, Version::V0_4_0),
        (r#"{"cniVersion":"0.4.0","name":5}"#, Version::V0_4_0),
        (r#"{"name":"a"}"#, Version::V0_1_0),
        (r#"{"cniVersion":"2.0.0"}"#, Version::NEWEST),
        ("", Version::NEWEST),
        ("[]", Version::NEWEST),
    ] {
        assert_eq!(version_for_error(stdin.as_bytes()), expected, "{stdin}");
    }
}
