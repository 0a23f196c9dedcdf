// SPDX-License-Identifier: Apache-2.0
//! VERSION, verbs that there are not, and none: all that a plugin answers without a configuration.

use std::path::Path;
use std::process::{Command, Stdio};

use integration_tests::binaries::{self, PLUGINS};
use integration_tests::{Execution, Outcome};
use serde_json::json;

/// The versions that a plugin speaks, as the reference plugin of its name does.
fn versions(plugin: &str) -> &'static [&'static str] {
    const ALL: &[&str] = &[
        "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0",
    ];
    match plugin {
        "bandwidth" => &ALL[2..],
        "firewall" => &ALL[4..],
        _ => ALL,
    }
}

/// Standard input as runtimes leave it: closed, empty, open without an end, and one without an end
/// that always has more.
const INPUTS: [&str; 4] = ["<&-", "</dev/null", "", "</dev/zero"];

/// A plugin with standard input as the shell arranges it; whoever waits for its end is killed.
fn run(plugin: &Path, stdin: &str, verb: Option<&str>) -> Outcome {
    let script = format!("exec timeout 60 {} {stdin}", plugin.display());
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    command.env_remove("CNI_COMMAND");
    command.envs(verb.map(|verb| ("CNI_COMMAND", verb)));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let child = command.stderr(Stdio::piped()).spawn();
    let mut child = child.expect("there is a shell");
    // Open for as long as the plugin runs.
    let pipe = child.stdin.take();
    let output = child.wait_with_output().expect("it ends");
    drop(pipe);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Outcome {
        status: output.status.code(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

#[test]
fn version_is_answered_whatever_standard_input_is() {
    for plugin in PLUGINS {
        for stdin in INPUTS {
            let outcome = run(&binaries::plugins().join(plugin), stdin, Some("VERSION"));
            let answer = json!({"cniVersion": "1.1.0", "supportedVersions": versions(plugin)});
            assert_eq!(outcome.result(), answer, "{plugin} {stdin}");
            assert_eq!(outcome.stderr, "");
        }
    }
}

#[test]
fn version_is_answered_as_the_reference_plugins_do() {
    // There is neither flannel nor vxlan among them.
    let theirs = |name: &&str| !["flannel", "vxlan"].contains(name);
    for plugin in PLUGINS.into_iter().filter(theirs) {
        let [ours, theirs] = [binaries::plugins(), &binaries::go_plugins()]
            .map(|directory| run(&directory.join(plugin), "</dev/null", Some("VERSION")).stdout);
        assert_eq!(ours, theirs, "{plugin}");
    }
}

#[test]
fn version_asks_for_nothing_but_the_verb() {
    for plugin in PLUGINS {
        // What libcni sends, and what nobody should.
        for (value, stdin) in [
            ("dummy", r#"{"cniVersion": "0.4.0"}"#),
            ("a/b c", "garbage"),
        ] {
            let mut call = Execution::new(binaries::plugins().join(plugin)).stdin(stdin);
            for variable in [
                "CNI_CONTAINERID",
                "CNI_NETNS",
                "CNI_IFNAME",
                "CNI_PATH",
                "CNI_ARGS",
            ] {
                call = call.env(variable, value);
            }
            let outcome = call.env("CNI_COMMAND", "VERSION").run_here();
            assert_eq!(outcome.result()["cniVersion"], "1.1.0", "{outcome}");
        }
    }
}

#[test]
fn without_a_verb_a_plugin_says_what_it_is_to_a_human() {
    for plugin in PLUGINS {
        for (stdin, verb) in INPUTS
            .map(|stdin| (stdin, None))
            .into_iter()
            .chain([("", Some(""))])
        {
            let outcome = run(&binaries::plugins().join(plugin), stdin, verb);
            outcome.assert_silent();
            let lines: Vec<_> = outcome.stderr.lines().collect();
            let [about, supported] = lines[..] else {
                panic!("{outcome}")
            };
            assert!(
                about.starts_with(&format!("CNI {plugin} plugin ")),
                "{about}"
            );
            let versions = versions(plugin).join(", ");
            assert_eq!(
                supported,
                format!("CNI protocol versions supported: {versions}")
            );
        }
    }
}

#[test]
fn a_verb_that_there_is_not_is_refused_in_the_words_that_libcni_looks_for() {
    for plugin in PLUGINS {
        for (stdin, verb) in INPUTS
            .iter()
            .flat_map(|i| ["FOO", "add", "ADD "].map(|v| (i, v)))
        {
            let outcome = run(&binaries::plugins().join(plugin), stdin, Some(verb));
            outcome.assert_refused(4, &[]);
            assert_eq!(
                outcome.json()["msg"],
                format!("unknown CNI_COMMAND: {verb}")
            );
        }
    }
}
