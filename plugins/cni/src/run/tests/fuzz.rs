// SPDX-License-Identifier: Apache-2.0
//! Whatever comes in, a runtime gets an answer that it can read, and the plugin never panics.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const VERBS: [&str; 6] = ["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"];

/// Runs a call and demands an answer of the protocol's form.
fn answered(environment: &Environment, stdin: &[u8]) {
    let outcome = invoke(&Scribe::new(), environment, &mut &stdin[..]);
    if outcome.exit == 0 && outcome.stdout.is_empty() {
        return;
    }
    let document: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let version = document["cniVersion"].as_str().unwrap();
    assert!(version.parse::<Version>().is_ok(), "{version}");
    if outcome.exit == 0 {
        assert_eq!(document.get("code"), None);
    } else {
        let (code, msg) = refusal(&outcome);
        assert!((1..=8).contains(&code), "{code} {msg}");
        assert!(!msg.is_empty());
    }
}

/// The keys that the protocol itself reads, in odd spellings too.
fn key() -> impl Strategy<Value = String> {
    let known = select(vec![
        "name",
        "NAME",
        "cniVersion",
        "cniversion",
        "ipam",
        "IPAM",
        "type",
        "prevResult",
        "PREVRESULT",
        "cni.dev/valid-attachments",
        "cni.dev/attachments",
        "containerID",
        "ifname",
        "interfaces",
        "ips",
        "routes",
        "dns",
        "address",
        "gateway",
        "interface",
        "dst",
        "gw",
        "mtu",
        "mac",
        "sandbox",
        "pciID",
        "ip4",
        "ip6",
        "ip",
        "nameservers",
        "domain",
        "scope",
        "table",
    ]);
    prop_oneof![9 => known.prop_map(str::to_owned), 1 => any::<String>()]
}

fn scalar() -> impl Strategy<Value = Value> {
    let text = select(vec![
        "",
        "a",
        "net",
        "0.1.0",
        "0.2.0",
        "0.4.0",
        "1.0.0",
        "1.1.0",
        "2.0.0",
        "host-local",
        "eth0",
        "10.1.2.3/24",
        "10.1.2.3",
        "2001:db8::1/64",
        "::",
        "0.0.0.0/0",
        "02:00:00:00:00:01",
    ]);
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-2..600_i64).prop_map(Value::from),
        text.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ]
}

fn document() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(6, 48, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((key(), inner), 0..8)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// A configuration whose name and version are right, so that the rest is looked at.
fn configuration() -> impl Strategy<Value = String> {
    let more = vec((key(), document()), 0..8);
    (select(&Version::ALL[..]), more).prop_map(|(version, more)| {
        let mut config: serde_json::Map<_, _> = more.into_iter().collect();
        config.retain(|key, _| !["name", "cniversion"].contains(&&*key.to_ascii_lowercase()));
        config.insert("cniVersion".to_owned(), json!(version));
        config.insert("name".to_owned(), json!("net"));
        Value::Object(config).to_string()
    })
}

proptest! {
    #[test]
    fn any_configuration_is_answered(stdin in configuration(), verb in select(&VERBS[..])) {
        answered(&environment(verb, &[]), stdin.as_bytes());
    }

    #[test]
    fn any_document_is_answered(document in document(), verb in select(&VERBS[..])) {
        answered(&environment(verb, &[]), document.to_string().as_bytes());
    }

    #[test]
    fn a_damaged_configuration_is_answered(
        stdin in configuration(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        verb in select(&VERBS[..]),
    ) {
        let mut stdin = stdin.into_bytes();
        for (place, byte) in damage {
            let place = place.index(stdin.len());
            stdin[place] = byte;
        }
        answered(&environment(verb, &[]), &stdin);
    }

    #[test]
    fn a_truncated_configuration_is_answered(
        stdin in configuration(),
        end in any::<prop::sample::Index>(),
    ) {
        answered(&environment("ADD", &[]), &stdin.as_bytes()[..end.index(stdin.len())]);
    }

    #[test]
    fn any_environment_is_answered(values in vec(vec(1..=u8::MAX, 0..20), 7), verb in select(&VERBS[..])) {
        let names = [CONTAINER_ID, NETNS, IFNAME, ARGS, PATH, NETNS_OVERRIDE];
        let values = values.into_iter().map(OsString::from_vec);
        let odd = names.into_iter().zip(values);
        let environment = [(COMMAND, verb.into())].into_iter().chain(odd).collect();
        answered(&environment, config(Version::V1_1_0, &json!({})).as_bytes());
    }

    #[test]
    fn any_command_is_answered(command in "\\PC*") {
        answered(&[(COMMAND, command)].into_iter().collect(), b"{}");
    }

    #[test]
    fn args_are_read_as_they_were_written(
        pairs in prop::collection::btree_map("[A-Z]{1,4}", "[^;=\\x00]*", 0..4),
        others in vec("[a-z]{1,4}=[^;=\\x00]*", 0..3),
    ) {
        let written = pairs.iter().map(|(key, value)| format!("{key}={value}"));
        let written: Vec<_> = written.chain(others).chain(["IgnoreUnknown=1".to_owned()]).collect();
        let environment: Environment = [(ARGS, written.join(";"))].into_iter().collect();
        let known: Vec<_> = pairs.keys().map(String::as_str).collect();
        prop_assert_eq!(environment.args(&known), Ok(pairs.clone()));
    }

    #[test]
    fn any_args_are_read_or_refused(text in "[A-Za-z0-9=;]{0,30}") {
        let environment: Environment = [(ARGS, text)].into_iter().collect();
        if let Err(error) = environment.args(&["IP"]) {
            prop_assert_eq!(error.code, Code::INVALID_ENVIRONMENT);
        }
    }
}

/// Inputs that were thought or found to be dangerous; `cases/` has one per file, named for what is
/// odd about it.
#[test]
fn the_saved_cases_are_answered() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut count = 0;
    for case in fs::read_dir(directory).unwrap() {
        let stdin = fs::read(case.unwrap().path()).unwrap();
        for verb in VERBS {
            answered(&environment(verb, &[]), &stdin);
        }
        count += 1;
    }
    assert!(count > 20, "{count} cases");
}
