// SPDX-License-Identifier: Apache-2.0
//! IPAM plugins that are missing, fail, or say what is no answer: one error that tells which plugin
//! and what it did, and nothing is changed.

use integration_tests::{Bench, Execution, changed};
use serde_json::{Value, json};

/// A configuration of network `pods` whose addresses come from the plugin `ipam`.
fn configuration(bench: &Bench) -> Value {
    changed(&bench.configuration(), "ipam", json!({"type": "ipam"}))
}

/// A call of `bridge` for pod `a`, with a program for `sh` as its IPAM plugin's answer to `verb`;
/// to all other verbs it says nothing and succeeds.
fn call(bench: &Bench, verb: &str, answer: &str) -> Execution {
    let text = format!("[ $CNI_COMMAND = {verb} ] || exit 0\n{answer}");
    let path = bench.script("ipam", &text);
    bench
        .call_with(verb, "a", &configuration(bench))
        .env("CNI_PATH", path)
}

#[test]
fn answers_to_add_that_are_none_are_refused_and_shown() {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    let no_result = "plugin \"ipam\" answered ADD with something else than a result";
    let no_error = "plugin \"ipam\" failed ADD without an error object";
    let no_address = "IPAM plugin returned missing IP config";
    for (answer, words) in [
        ("exit 3", [no_error, "exit status: 3", "it said nothing"]),
        ("kill -9 $$", [no_error, "signal: 9", "it said nothing"]),
        (
            "echo what is this >&2; exit 1",
            [no_error, "what is this", ""],
        ),
        ("echo no JSON; exit 1", [no_error, "no JSON", ""]),
        (
            r"printf '\377\376'; exit 1",
            [no_error, "exit status: 1", ""],
        ),
        (
            r#"echo '{"code": 0, "msg": "all is well"}'; exit 1"#,
            [no_error, "all is well", ""],
        ),
        (
            r#"echo '{"msg": "no code"}'; exit 1"#,
            [no_error, "no code", ""],
        ),
        (
            r#"echo '{"code": "7", "msg": "text"}'; exit 1"#,
            [no_error, "text", ""],
        ),
        (
            r#"echo '{"code": 7}{"code": 8}'; exit 1"#,
            [no_error, "", ""],
        ),
        ("exit 0", [no_result, "EOF", ""]),
        ("echo no JSON", [no_result, "line 1", ""]),
        (
            "echo '{\"ips\": []}'; echo '{}'",
            [no_result, "trailing characters", "line 2"],
        ),
        ("echo '[]'", [no_result, "expected", ""]),
        (
            r#"echo '{"cniVersion": "9.9.9"}'"#,
            [no_result, "9.9.9", ""],
        ),
        (r#"echo '{"ips": 5}'"#, [no_result, "ips: expected", ""]),
        (
            r#"echo '{"ips": [{"address": "10.1.5.9"}]}'"#,
            [no_result, "ips[0].address", "10.1.5.9"],
        ),
        (
            r#"echo '{"ips": [{"gateway": "10.1.5.1"}]}'"#,
            [no_result, "ips[0]", "address"],
        ),
        (
            r#"echo '{"ips": [], "routes": [{"dst": "all"}]}'"#,
            [no_result, "routes[0].dst", "all"],
        ),
        (
            r#"echo '{"cniVersion": "1.1.0", "ips": []}'"#,
            [no_address, "", ""],
        ),
        (
            r#"echo '{"cniVersion": "0.2.0", "dns": {}}'"#,
            [no_address, "", ""],
        ),
        (
            r#"echo '{"code": 7, "msg": "with success"}'"#,
            [no_address, "", ""],
        ),
        ("echo null", [no_address, "", ""]),
    ] {
        bench.assert_refuses(&call(&bench, "ADD", answer), 101, &words);
        assert_eq!(pod.interfaces(), [""; 0], "{answer}");
    }
}

#[test]
fn an_endless_answer_is_cut() {
    let bench = Bench::new();
    let _pod = bench.node.pod("a");
    let much = "head -c 3000000 /dev/zero | tr '\\0' x";
    for answer in [
        format!("{much}; exit 1"),
        format!("{much} >&2; exit 1"),
        much.to_owned(),
    ] {
        let outcome = call(&bench, "ADD", &answer).run(&bench.node);
        outcome.assert_refused(101, &["plugin \"ipam\""]);
        assert!(
            outcome.stdout.len() < 5000,
            "{} octets",
            outcome.stdout.len()
        );
        bench.assert_clean();
    }
}

#[test]
fn an_error_object_is_passed_on_with_its_code() {
    let bench = Bench::new();
    let _pod = bench.node.pod("a");
    for (answer, code, text) in [
        (
            r#"{"code": 133, "msg": "not today"}"#,
            133,
            "ipam: not today",
        ),
        (
            r#"{"code": 11, "msg": "busy", "details": "try"}"#,
            11,
            "ipam: busy; try",
        ),
        (
            r#"{"CODE": 4294967295, "Msg": "last"}"#,
            4_294_967_295,
            "ipam: last",
        ),
        (
            r#"{"cniVersion": "0.1.0", "code": 999, "msg": "x", "more": []}"#,
            999,
            "ipam: x",
        ),
    ] {
        for verb in ["ADD", "DEL", "STATUS"] {
            let call = call(&bench, verb, &format!("echo '{answer}'; exit 1"));
            bench.assert_refuses(&call, code, &[text]);
        }
    }
}

#[test]
fn a_plugin_that_cannot_be_started_is_named() {
    let bench = Bench::new();
    let _pod = bench.node.pod("a");
    let add = bench.call_with("ADD", "a", &configuration(&bench));
    let refuse = |path: &str, words: &[&str]| {
        bench.assert_refuses(&add.clone().env("CNI_PATH", path), 101, words);
    };
    bench
        .node
        .tool("mkdir", "-p /run/lab/bin/empty /run/lab/bin/directory/ipam");
    bench.node.write("/run/lab/bin/plain/ipam", "#!/bin/sh\n");
    bench
        .node
        .write("/run/lab/bin/broken/ipam", "\0\x01garbage");
    bench.node.tool("chmod", "+x /run/lab/bin/broken/ipam");
    bench
        .node
        .write("/run/lab/bin/lost/ipam", "#!/run/lab/no-interpreter\n");
    bench.node.tool("chmod", "+x /run/lab/bin/lost/ipam");
    let missing = "failed to find plugin \"ipam\" in path";
    refuse("/run/lab/bin/empty", &[missing, "/run/lab/bin/empty"]);
    refuse(
        "/run/lab/bin/directory:/nowhere::",
        &[missing, "/run/lab/bin/directory:/nowhere"],
    );
    refuse(
        "/run/lab/bin/plain",
        &[
            "cannot start",
            "/run/lab/bin/plain/ipam",
            "Permission denied",
        ],
    );
    refuse(
        "/run/lab/bin/broken",
        &["cannot start", "broken/ipam", "Exec format error"],
    );
    refuse(
        "/run/lab/bin/lost",
        &["cannot start", "lost/ipam", "No such file"],
    );
}

#[test]
fn other_verbs_say_what_the_plugin_did_not_do() {
    let bench = Bench::new();
    let pod = bench.attach("a");
    let result = bench.runner.result(&bench.network, "a", "eth0").unwrap();
    let mut configuration = configuration(&bench);
    configuration["prevResult"] = result;
    configuration["cni.dev/valid-attachments"] = json!([
        {"containerID": "keeper", "ifname": "eth0"},
        {"containerID": "a", "ifname": "eth0"},
    ]);
    let stdin = configuration.to_string();
    for (verb, missing) in [("CHECK", 101), ("GC", 101), ("STATUS", 50), ("DEL", 101)] {
        let failing = call(&bench, verb, "exit 3").stdin(stdin.as_str());
        let words = [&*format!(
            "plugin \"ipam\" failed {verb} without an error object"
        )];
        failing.run(&bench.node).assert_refused(101, &words);
        let without = failing.env("CNI_PATH", "/nowhere");
        let outcome = without.run(&bench.node);
        outcome.assert_refused(
            missing,
            &["failed to find plugin \"ipam\" in path \"/nowhere\""],
        );
        // What it says to a success is nobody's business.
        let talkative = call(&bench, verb, "echo done; exit 0").stdin(stdin.as_str());
        talkative.run(&bench.node).assert_silent();
    }
    // The interface goes even if the address can't.
    assert_eq!(pod.interfaces(), [""; 0]);
}

#[test]
fn a_plugin_need_not_read_its_configuration() {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    let answer = r#"echo '{"cniVersion": "1.1.0", "ips": [{"address": "10.1.5.77/24"}]}'"#;
    let large = changed(
        &configuration(&bench),
        "large",
        json!("x".repeat(1_000_000)),
    );
    let add = call(&bench, "ADD", answer).stdin(large.to_string());
    let result = add.run(&bench.node).result();
    assert_eq!(result["ips"][0]["address"], "10.1.5.77/24");
    assert_eq!(pod.ipv4("eth0").to_string(), "10.1.5.77");
}

#[test]
fn a_plugin_reads_the_same_configuration_and_variables() {
    let bench = Bench::new();
    let _pod = bench.node.pod("a");
    let answer = "env | sort >/run/lab/env; cat >/run/lab/stdin; exit 1";
    let odd = r#"{ "NAME": "pods", "cniversion": "1.0.0", "type":"bridge", "Bridge": "cni0",
        "x": 1.50, "x": null, "IPAM": {"Type": "ipam", "big": 123456789012345678901234567890} }"#;
    let add = call(&bench, "ADD", answer)
        .stdin(odd)
        .env("CNI_ARGS", "IgnoreUnknown=1;A=b");
    add.run(&bench.node).error();
    assert_eq!(bench.node.read("/run/lab/stdin"), odd);
    let variables = bench.node.read("/run/lab/env");
    for line in [
        "CNI_ARGS=IgnoreUnknown=1;A=b",
        "CNI_COMMAND=ADD",
        "CNI_CONTAINERID=a",
        "CNI_IFNAME=eth0",
        "CNI_NETNS=/run/netns/a",
        "CNI_PATH=/run/lab/bin:",
    ] {
        assert!(
            variables.lines().any(|there| there.starts_with(line)),
            "{variables}"
        );
    }
}
