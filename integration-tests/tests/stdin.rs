// SPDX-License-Identifier: Apache-2.0
//! Standard input that is no configuration: refused by every plugin, for every verb, before anything
//! is changed.

use integration_tests::binaries::{self, PLUGINS};
use integration_tests::{Bench, Execution, changed};
use serde_json::{Value, json};

const VERBS: [&str; 5] = ["ADD", "CHECK", "DEL", "GC", "STATUS"];

/// A call of one plugin of network `pods` for `eth0` of pod `a`.
fn call(bench: &Bench, plugin: &str, verb: &str) -> Execution {
    let configuration = changed(&bench.configuration(), "type", json!(plugin));
    bench.call_with(verb, "a", &configuration)
}

fn assert_all_refuse(bench: &Bench, stdin: &[u8], code: u64, words: &[&str]) {
    for (plugin, verb) in PLUGINS.iter().flat_map(|p| VERBS.map(|v| (p, v))) {
        let call = call(bench, plugin, verb).stdin(stdin);
        call.run(&bench.node).assert_refused(code, words);
    }
    bench.assert_clean();
}

#[test]
fn what_is_no_json_object_is_refused() {
    let bench = Bench::new();
    let _pod = bench.node.pod("a");
    let whole = bench.configuration().to_string();
    let twice = whole.repeat(2);
    let deep = whole.replace(
        "\"type\"",
        &format!("\"deep\":{},\"type\"", "[".repeat(100_000)),
    );
    let end = "unexpected end of JSON input";
    let inputs: [(&[u8], &str); 15] = [
        (b"", end),
        (b" \n\t", end),
        (b"{", end),
        (&whole.as_bytes()[..whole.len() - 1], end),
        (&whole.as_bytes()[..whole.len() / 2], end),
        (b"garbage", "expected value at line 1 column 1"),
        (b"{\"name\": pods}", "column 10"),
        (b"[]", "not a JSON object"),
        (b"\"pods\"", "not a JSON object"),
        (b"5", "not a JSON object"),
        (twice.as_bytes(), "trailing characters"),
        (&[whole.as_bytes(), b" x"].concat(), "trailing characters"),
        (b"\xef\xbb\xbf{}", "line 1 column 1"),
        (b"{\"name\": \"\xff\"}", "unicode"),
        (deep.as_bytes(), "recursion limit"),
    ];
    for (stdin, why) in inputs {
        assert_all_refuse(&bench, stdin, 6, &["error unmarshall network config", why]);
    }
}

#[test]
fn closed_standard_input_is_an_empty_one() {
    let bench = Bench::new();
    let _pod = bench.node.pod("a");
    for plugin in PLUGINS {
        let plugin = binaries::plugins().join(plugin);
        bench.script("closed", &format!("exec {} <&-", plugin.display()));
        for verb in VERBS {
            let call = Execution::new("/run/lab/bin/closed").env("CNI_COMMAND", verb);
            let call = call.env("CNI_CONTAINERID", "a").env("CNI_IFNAME", "eth0");
            let call = call.env("CNI_NETNS", "/run/netns/a").env("CNI_PATH", "/");
            bench.assert_refuses(&call, 6, &["unexpected end of JSON input"]);
        }
    }
}

#[test]
fn a_network_without_a_valid_name_is_refused() {
    let bench = Bench::new();
    let _pod = bench.node.pod("a");
    let whole = bench.configuration();
    let missing = ["missing network name"];
    assert_all_refuse(&bench, b"{}", 7, &missing);
    assert_all_refuse(&bench, b"null", 7, &missing);
    for name in [json!(null), json!("")] {
        let stdin = changed(&whole, "name", name).to_string();
        assert_all_refuse(&bench, stdin.as_bytes(), 7, &missing);
    }
    for name in [
        "../pods",
        "a/b",
        ".",
        "..",
        ".pods",
        "-pods",
        "a b",
        "a\n",
        "p\u{e4}ds",
        "a:b",
    ] {
        let stdin = changed(&whole, "name", json!(name)).to_string();
        let words = ["invalid characters found in network name", name];
        assert_all_refuse(&bench, stdin.as_bytes(), 7, &words);
    }
}

#[test]
fn a_version_that_is_none_is_refused() {
    let bench = Bench::new();
    let _pod = bench.node.pod("a");
    for version in [
        "9.9.9",
        "1.1",
        "1",
        "1.2.0",
        "0.3",
        " 1.0.0",
        "v1.0.0",
        "1.0.0-rc1",
    ] {
        let stdin = changed(&bench.configuration(), "cniVersion", json!(version)).to_string();
        let config = format!("config is {version:?}");
        let words = [
            "incompatible CNI versions",
            &config,
            "\"0.4.0\"",
            "\"1.1.0\"",
        ];
        assert_all_refuse(&bench, stdin.as_bytes(), 1, &words);
    }
}

#[test]
fn a_name_or_version_that_is_no_string_is_refused() {
    let bench = Bench::new();
    let _pod = bench.node.pod("a");
    let whole = bench.configuration();
    for (key, value) in ["name", "cniVersion"]
        .iter()
        .flat_map(|key| [json!(5), json!(true), json!([]), json!({})].map(|value| (key, value)))
    {
        let stdin = changed(&whole, key, value).to_string();
        assert_all_refuse(&bench, stdin.as_bytes(), 6, &[key, "expected a string"]);
    }
}

#[test]
fn an_error_says_the_version_of_its_configuration() {
    let bench = Bench::new();
    let refused = |stdin: Value| {
        let call = bench.call("ADD", "a").stdin(stdin.to_string());
        call.run(&bench.node).json()["cniVersion"].clone()
    };
    for version in ["0.1.0", "0.3.1", "1.0.0"] {
        assert_eq!(refused(json!({"cniVersion": version})), version);
    }
    // What can't be understood is answered in the newest.
    assert_eq!(refused(json!({"cniVersion": "9.9.9"})), "1.1.0");
    assert_eq!(refused(json!([])), "1.1.0");
}
