// SPDX-License-Identifier: Apache-2.0
//! What is demanded of a call before the plugin's code sees it.

use super::*;

/// Calls a plugin that must not be reached.
fn refused(environment: &Environment, stdin: &str) -> (u64, String) {
    let plugin = Scribe::new();
    let outcome = call(&plugin, environment, stdin);
    assert_eq!(plugin.calls(), [""; 0]);
    refusal(&outcome)
}

#[test]
fn every_verb_reaches_the_plugin() {
    let more = json!({ "prevResult": {}, "cni.dev/valid-attachments": [] });
    for verb in ["ADD", "DEL", "CHECK", "GC", "STATUS"] {
        let plugin = Scribe::new();
        let outcome = call(
            &plugin,
            &environment(verb, &[]),
            &config(Version::V1_1_0, &more),
        );
        assert_eq!((outcome.exit, outcome.stderr.as_str()), (0, ""), "{verb}");
        assert_eq!(outcome.stdout.is_empty(), verb != "ADD", "{verb}");
        assert_eq!(plugin.calls(), [format!("{verb} net 1.1.0")]);
    }
}

#[test]
fn each_verb_demands_its_variables() {
    let optional: [(&'static str, &[&'static str]); 5] = [
        ("ADD", &[]),
        ("CHECK", &[]),
        ("DEL", &[NETNS, PATH]),
        ("GC", &[CONTAINER_ID, NETNS, IFNAME]),
        ("STATUS", &[CONTAINER_ID, NETNS, IFNAME]),
    ];
    let more = json!({ "prevResult": {}, "cni.dev/valid-attachments": [] });
    for (verb, optional) in optional {
        for name in [CONTAINER_ID, NETNS, IFNAME, PATH] {
            let plugin = Scribe::new();
            let environment = environment(verb, &[(name, "")]);
            let outcome = call(&plugin, &environment, &config(Version::V1_1_0, &more));
            if optional.contains(&name) {
                assert_eq!(outcome.exit, 0, "{verb} without {name}");
            } else {
                let msg = format!("required env variables [{name}] missing");
                assert_eq!(refusal(&outcome), (4, msg), "{verb}");
            }
        }
    }
}

#[test]
fn missing_variables_are_named_together() {
    for verb in ["ADD", "CHECK"] {
        let environment = [(COMMAND, verb)].into_iter().collect();
        let msg = "required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] missing";
        assert_eq!(refused(&environment, "{}"), (4, msg.to_owned()));
    }
}

#[test]
fn gc_status_and_version_ignore_the_variables_of_attachments() {
    let more = json!({ "cni.dev/valid-attachments": [] });
    for verb in ["GC", "STATUS", "VERSION"] {
        let odd = [
            (CONTAINER_ID, "-"),
            (IFNAME, "a/b"),
            (NETNS, "dummy"),
            (ARGS, ";"),
        ];
        let stdin = config(Version::V1_1_0, &more);
        let outcome = call(&Scribe::new(), &environment(verb, &odd), &stdin);
        assert_eq!(outcome.exit, 0, "{verb}: {}", outcome.stdout);
    }
}

#[test]
fn malformed_variables_are_refused_before_stdin_is_read() {
    let cases = [
        (CONTAINER_ID, "-x", "invalid characters in containerID"),
        (IFNAME, "abcdefghijklmnop", "interface name is too long"),
        (IFNAME, "..", "interface name is . or .."),
        (
            IFNAME,
            "a b",
            "interface name contains / or : or whitespace characters",
        ),
        (COMMAND, "FOO", "unknown CNI_COMMAND: FOO"),
        (COMMAND, "add", "unknown CNI_COMMAND: add"),
    ];
    for verb in ["ADD", "DEL", "CHECK"] {
        for (name, value, msg) in cases {
            let environment = environment(verb, &[(name, value)]);
            let outcome = invoke(&Scribe::new(), &environment, &mut Untouchable);
            assert_eq!(refusal(&outcome), (4, msg.to_owned()));
        }
    }
}

#[test]
fn malformed_stdin_is_refused() {
    let cases = [
        (
            "",
            6,
            "error unmarshall network config: unexpected end of JSON input",
        ),
        ("{}", 7, "missing network name"),
        (
            r#"{"name":"a b"}"#,
            7,
            "invalid characters found in network name",
        ),
        (
            r#"{"name":"a","cniVersion":"2.0.0"}"#,
            1,
            "incompatible CNI versions",
        ),
    ];
    for verb in ["ADD", "DEL", "CHECK", "GC", "STATUS"] {
        for (stdin, code, msg) in cases {
            let environment = environment(verb, &[]);
            assert_eq!(
                refused(&environment, stdin),
                (code, msg.to_owned()),
                "{verb}"
            );
        }
    }
}

#[test]
fn unreadable_stdin_is_an_io_failure() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("disk gone"))
        }
    }
    let outcome = invoke(&Scribe::new(), &environment("ADD", &[]), &mut Broken);
    assert_eq!(
        refusal(&outcome),
        (5, "error reading from stdin: disk gone".to_owned())
    );
}

#[test]
fn verbs_are_refused_in_versions_that_do_not_know_them() {
    let more = json!({ "prevResult": null, "cni.dev/valid-attachments": [] });
    let since = [
        ("DEL", Version::V0_1_0),
        ("CHECK", Version::V0_4_0),
        ("GC", Version::V1_1_0),
        ("STATUS", Version::V1_1_0),
    ];
    for (verb, since) in since {
        for version in Version::ALL {
            let outcome = call(
                &Scribe::new(),
                &environment(verb, &[]),
                &config(version, &more),
            );
            if version < since {
                let msg = format!("config version does not allow {verb}");
                assert_eq!(refusal(&outcome), (1, msg));
            } else if verb == "CHECK" {
                assert_eq!(refusal(&outcome).0, 7, "CHECK has no prevResult here");
            } else {
                assert_eq!(outcome.exit, 0, "{verb} {version}");
            }
        }
    }
}

#[test]
fn the_plugins_own_namespace_is_refused_before_any_work() {
    let stdin = config(Version::V1_0_0, &json!({ "prevResult": {} }));
    for verb in ["ADD", "CHECK"] {
        let own = environment(verb, &[(NETNS, "/proc/self/ns/net")]);
        let msg = "plugin's netns and netns from CNI_NETNS should not be the same";
        assert_eq!(refused(&own, &stdin), (8, msg.to_owned()));
    }
}

#[test]
fn an_override_allows_the_plugins_own_namespace() {
    let stdin = config(Version::V1_0_0, &json!({ "prevResult": {} }));
    for verb in ["ADD", "DEL", "CHECK"] {
        let plugin = Scribe::new();
        let own = [(NETNS, "/proc/self/ns/net"), (NETNS_OVERRIDE, "True")];
        assert_eq!(call(&plugin, &environment(verb, &own), &stdin).exit, 0);
        assert_eq!(plugin.seen().netns.as_deref(), Some("/proc/self/ns/net"));
    }
}

#[test]
fn del_takes_what_is_no_namespace_for_gone() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let gone = [
        "",
        "/run/netns/absent",
        "/proc/self/ns/net",
        file.path().to_str().unwrap(),
    ];
    for netns in gone {
        let plugin = Scribe::new();
        let environment = environment("DEL", &[(NETNS, netns)]);
        assert_eq!(
            call(&plugin, &environment, &config(Version::V1_0_0, &json!({}))).exit,
            0
        );
        assert_eq!(plugin.seen().netns, None, "{netns}");
    }
    let plugin = Scribe::new();
    call(
        &plugin,
        &environment("DEL", &[]),
        &config(Version::V1_0_0, &json!({})),
    );
    assert_eq!(plugin.seen().netns.as_deref(), Some(ELSEWHERE));
}

#[test]
fn nothing_in_the_rest_of_a_configuration_blocks_del() {
    let odd = json!({ "ipam": 7, "prevResult": { "ips": "x" }, "runtimeConfig": [], "dns": 3 });
    let plugin = Scribe::new();
    let environment = environment("DEL", &[(ARGS, ";;"), (NETNS, "")]);
    assert_eq!(
        call(&plugin, &environment, &config(Version::V1_1_0, &odd)).exit,
        0
    );
    let expected = Seen {
        attachment: Some(attachment("c", "eth0")),
        ..Seen::default()
    };
    assert_eq!(plugin.seen(), expected);
}

#[test]
fn a_malformed_ipam_is_refused_by_the_other_verbs() {
    let odd = json!({ "ipam": 7, "prevResult": {}, "cni.dev/valid-attachments": [] });
    for verb in ["ADD", "CHECK", "GC", "STATUS"] {
        let (code, msg) = refused(&environment(verb, &[]), &config(Version::V1_1_0, &odd));
        let expected = "cannot read the configuration of network \"net\": \
                        ipam: expected an object, found 7";
        assert_eq!((code, msg.as_str()), (6, expected));
    }
}

#[test]
fn the_previous_result_comes_along() {
    let prev = json!({ "prevResult": { "ips": [{ "address": "10.0.0.1/8" }] } });
    for verb in ["ADD", "DEL", "CHECK"] {
        let plugin = Scribe::new();
        call(
            &plugin,
            &environment(verb, &[]),
            &config(Version::V1_1_0, &prev),
        );
        assert_eq!(plugin.seen().prev_result.unwrap().ips.len(), 1);
    }
    let plugin = Scribe::new();
    let none = config(Version::V1_1_0, &json!({ "prevResult": null }));
    call(&plugin, &environment("ADD", &[]), &none);
    assert_eq!(plugin.seen().prev_result, None);
}

#[test]
fn a_malformed_previous_result_is_refused_by_add_and_check() {
    let cases = [
        (
            json!({ "ips": 3 }),
            "cannot read a result of CNI 1.0.0: ips: expected an array, found 3",
        ),
        (
            json!({ "cniVersion": "0.2.0" }),
            "a result of CNI 0.2.0 under a configuration of CNI 1.0.0",
        ),
    ];
    for verb in ["ADD", "CHECK"] {
        for (prev, cause) in &cases {
            let stdin = config(Version::V1_0_0, &json!({ "prevResult": prev }));
            let expected = (6, format!("could not parse prevResult: {cause}"));
            assert_eq!(refused(&environment(verb, &[]), &stdin), expected);
        }
    }
}

#[test]
fn check_needs_the_previous_result() {
    for more in [json!({}), json!({ "prevResult": null })] {
        let outcome = refused(&environment("CHECK", &[]), &config(Version::V1_0_0, &more));
        assert_eq!(outcome, (7, "Required prevResult missing".to_owned()));
    }
}
