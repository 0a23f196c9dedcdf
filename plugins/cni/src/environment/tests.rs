// SPDX-License-Identifier: Apache-2.0
use std::os::unix::ffi::OsStringExt;

use super::*;

fn with_args(text: &str) -> Environment {
    [(ARGS, text)].into_iter().collect()
}

fn args(text: &str) -> Result<Vec<(String, String)>, String> {
    let args = with_args(text).args(&["MAC", "IP"]);
    args.map(|args| args.into_iter().collect())
        .map_err(|error| {
            assert_eq!(error.code, Code::INVALID_ENVIRONMENT);
            error.to_string()
        })
}

fn pairs(pairs: &[(&str, &str)]) -> Result<Vec<(String, String)>, String> {
    Ok(pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect())
}

#[test]
fn empty_variables_are_unset() {
    let environment: Environment = [(NETNS, ""), (ARGS, "A=B")].into_iter().collect();
    assert_eq!(environment.get(NETNS), None);
    assert_eq!(environment.get(ARGS), Some(OsStr::new("A=B")));
    assert_eq!(environment.iter().count(), 1);
}

#[test]
fn args_are_the_known_keys() {
    assert_eq!(args(""), pairs(&[]));
    assert_eq!(args("MAC=02::1"), pairs(&[("MAC", "02::1")]));
    assert_eq!(args("MAC=a;IP=b"), pairs(&[("IP", "b"), ("MAC", "a")]));
    assert_eq!(args("MAC=a;MAC=b"), pairs(&[("MAC", "b")]));
    assert_eq!(args("MAC="), pairs(&[("MAC", "")]));
    let containerd = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=a;MAC=x";
    assert_eq!(args(containerd), pairs(&[("MAC", "x")]));
}

#[test]
fn unknown_args_are_refused_unless_the_runtime_allows_them() {
    let refused = |list: &str| Err(format!("CNI_ARGS: unknown args [{list}]"));
    assert_eq!(args("FOO=bar"), refused(r#""FOO=bar""#));
    assert_eq!(args("mac=a;MAC=b;X=y"), refused(r#""mac=a" "X=y""#));
    assert_eq!(args("ignoreunknown=1"), refused(r#""ignoreunknown=1""#));
    for value in ["0", "false", "False"] {
        assert_eq!(
            args(&format!("IgnoreUnknown={value};A=b")),
            refused(r#""A=b""#)
        );
    }
    for value in ["1", "true", "TRUE", "True"] {
        assert_eq!(args(&format!("A=b;IgnoreUnknown={value}")), pairs(&[]));
    }
}

#[test]
fn malformed_args_are_refused() {
    for (text, pair) in [
        (";", r#""""#),
        ("MAC=a;", r#""""#),
        ("IgnoreUnknown=1;;A=b", r#""""#),
        ("MAC", r#""MAC""#),
        ("MAC=a=b", r#""MAC=a=b""#),
        ("IgnoreUnknown=1;X", r#""X""#),
    ] {
        assert_eq!(
            args(text),
            Err(format!("CNI_ARGS: invalid pair {pair}")),
            "{text}"
        );
    }
    let expected = r#"CNI_ARGS: error parsing value of pair "IgnoreUnknown=yes": no boolean"#;
    assert_eq!(args("IgnoreUnknown=yes"), Err(expected.to_owned()));
}

#[test]
fn identifiers_begin_with_a_letter_or_digit() {
    for good in ["a", "0", "A.b_c-d", "cbr0.1", "x--", &"f".repeat(300)] {
        assert!(is_identifier(good), "{good}");
    }
    for bad in ["", "-a", ".a", "_a", "a b", "a/b", "ä", "a\n", "a:b"] {
        assert!(!is_identifier(bad), "{bad}");
    }
}

fn refusal(name: &'static str, value: impl Into<OsString>) -> Error {
    let environment: Environment = [(name, value)].into_iter().collect();
    let error = environment.attachment(&[]).unwrap_err();
    assert_eq!(error.code, Code::INVALID_ENVIRONMENT);
    error
}

#[test]
fn container_ids_are_identifiers() {
    for id in ["-x", "../etc", "a b", "ü"] {
        let error = refusal(CONTAINER_ID, id);
        assert_eq!(error.msg, "invalid characters in containerID");
        assert_eq!(error.details.as_deref(), Some(id));
    }
}

#[test]
fn interface_names_follow_the_kernel() {
    let cases = [
        ("abcdefghijklmnop", "interface name is too long"),
        (".", "interface name is . or .."),
        ("..", "interface name is . or .."),
        (
            "a/b",
            "interface name contains / or : or whitespace characters",
        ),
        (
            "eth0:1",
            "interface name contains / or : or whitespace characters",
        ),
        (
            "a b",
            "interface name contains / or : or whitespace characters",
        ),
        (
            "a\u{a0}b",
            "interface name contains / or : or whitespace characters",
        ),
        ("eth%d", "interface name contains %"),
        (
            "a\u{2003}b",
            "interface name contains / or : or whitespace characters",
        ),
    ];
    for (ifname, msg) in cases {
        assert_eq!(refusal(IFNAME, ifname).msg, msg, "{ifname:?}");
    }
    let details = refusal(IFNAME, "abcdefghijklmnop").details;
    assert_eq!(
        details.as_deref(),
        Some(
            "interface name should be less than 16 characters, CNI_IFNAME is \"abcdefghijklmnop\""
        )
    );
    assert_eq!(
        refusal(IFNAME, "a/b").details.as_deref(),
        Some("CNI_IFNAME is \"a/b\"")
    );

    let longest: Environment = [(IFNAME, "abcdefghijklmno")].into_iter().collect();
    assert_eq!(longest.attachment(&[]).unwrap().ifname, "abcdefghijklmno");
}

#[test]
fn values_that_are_not_utf8_are_refused() {
    let raw = || OsString::from_vec(vec![b'a', 0xff]);
    assert_eq!(refusal(IFNAME, raw()).msg, "interface name is not UTF-8");
    assert_eq!(
        refusal(CONTAINER_ID, raw()).msg,
        "invalid characters in containerID"
    );
}

#[test]
fn a_malformed_value_is_reported_before_missing_ones() {
    let environment: Environment = [(IFNAME, "a/b")].into_iter().collect();
    let error = environment.attachment(&[CONTAINER_ID, PATH]).unwrap_err();
    assert_eq!(
        error.msg,
        "interface name contains / or : or whitespace characters"
    );
}

#[test]
fn the_own_namespace_is_allowed_in_the_reference_spellings() {
    for (value, allowed) in [
        ("1", true),
        ("true", true),
        ("TRUE", true),
        ("0", false),
        ("yes", false),
        ("", false),
    ] {
        let environment: Environment = [(NETNS_OVERRIDE, value)].into_iter().collect();
        assert_eq!(environment.allows_own_netns(), allowed, "{value}");
    }
}
