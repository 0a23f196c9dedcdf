// SPDX-License-Identifier: Apache-2.0
//! What a runtime gets: one JSON document or nothing, and an exit status.

use super::*;

fn without_stdin(variables: &[(&'static str, &str)]) -> Outcome {
    invoke(
        &Scribe::new(),
        &variables.iter().copied().collect(),
        &mut Untouchable,
    )
}

#[test]
fn a_bare_invocation_says_what_the_plugin_is() {
    let version = env!("CARGO_PKG_VERSION");
    let stderr = format!(
        "CNI scribe plugin v1.9.1+podwire.{version}\n\
         CNI protocol versions supported: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0"
    );
    for variables in [&[][..], &[(COMMAND, "")], &[(CONTAINER_ID, "-")]] {
        let expected = Outcome {
            stderr: stderr.clone(),
            ..Outcome::default()
        };
        assert_eq!(without_stdin(variables), expected);
    }
}

#[test]
fn version_answers_without_stdin() {
    let stdout = concat!(
        r#"{"cniVersion":"1.1.0","supportedVersions":"#,
        r#"["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]}"#,
        "\n"
    );
    let expected = Outcome {
        stdout: stdout.to_owned(),
        ..Outcome::default()
    };
    assert_eq!(without_stdin(&[(COMMAND, "VERSION")]), expected);
}

#[test]
fn version_lists_what_the_plugin_speaks() {
    let plugin = Scribe {
        versions: &[Version::V0_4_0, Version::V1_0_0],
        ..Scribe::new()
    };
    let outcome = call(&plugin, &environment("VERSION", &[]), "");
    let expected = "{\"cniVersion\":\"1.0.0\",\"supportedVersions\":[\"0.4.0\",\"1.0.0\"]}\n";
    assert_eq!(outcome.stdout, expected);
}

#[test]
fn add_prints_the_result_in_the_configurations_version() {
    let one_address = || {
        let address = "10.0.0.1/8".parse().unwrap();
        let ips = vec![crate::Ip {
            address,
            gateway: None,
            interface: None,
        }];
        Ok(AddResult {
            ips,
            ..AddResult::default()
        })
    };
    for version in Version::ALL {
        let plugin = Scribe::answering(one_address);
        let outcome = call(
            &plugin,
            &environment("ADD", &[]),
            &config(version, &json!({})),
        );
        assert_eq!((outcome.exit, outcome.stderr.as_str()), (0, ""));
        let expected = one_address().unwrap().to_json(version).unwrap();
        assert_eq!(outcome.stdout, expected);
        let result: Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert_eq!(result["cniVersion"], json!(version));
    }
}

#[test]
fn a_result_that_cannot_be_said_is_undone() {
    let plugin = Scribe::new();
    let outcome = call(
        &plugin,
        &environment("ADD", &[]),
        &config(Version::V0_2_0, &json!({})),
    );
    assert_eq!(
        refusal(&outcome),
        (1, "cannot convert: no valid IP addresses".to_owned())
    );
    assert_eq!(plugin.calls(), ["ADD net 0.2.0", "DEL net 0.2.0"]);
}

#[test]
fn a_plugins_error_is_the_answer() {
    let failing =
        || Err(Error::new(Code::RANGE_EXHAUSTED, "no addresses").with_details("10.0.0.0/30"));
    let more = json!({ "prevResult": {}, "cni.dev/valid-attachments": [] });
    let expected = r#"{
    "cniVersion": "1.1.0",
    "code": 104,
    "msg": "no addresses",
    "details": "10.0.0.0/30"
}"#;
    for verb in ["ADD", "DEL", "CHECK", "GC", "STATUS"] {
        let plugin = Scribe::answering(failing);
        let outcome = call(
            &plugin,
            &environment(verb, &[]),
            &config(Version::V1_1_0, &more),
        );
        let stdout = expected.to_owned();
        assert_eq!(
            outcome,
            Outcome {
                stdout,
                exit: 1,
                ..Outcome::default()
            }
        );
    }
}

#[test]
fn errors_name_the_configurations_version() {
    let version = |environment: &Environment, stdin: &str| {
        let outcome = call(&Scribe::new(), environment, stdin);
        let object: Value = serde_json::from_str(&outcome.stdout).unwrap();
        object["cniVersion"].as_str().unwrap().to_owned()
    };
    let add = environment("ADD", &[]);
    assert_eq!(version(&add, r#"{"cniVersion":"0.4.0"}"#), "0.4.0");
    assert_eq!(version(&add, "{}"), "0.1.0");
    assert_eq!(version(&add, r#"{"cniVersion":"9"}"#), "1.1.0");
    assert_eq!(version(&add, "garbage"), "1.1.0");
    assert_eq!(
        version(&environment("FOO", &[]), r#"{"cniVersion":"0.4.0"}"#),
        "1.1.0"
    );
}

#[test]
fn a_panic_is_an_error_object() {
    for panicking in [
        || panic!("port {} has no bridge", 7),
        || panic!("port 7 has no bridge"),
    ] {
        let plugin = Scribe::answering(panicking);
        let outcome = call(
            &plugin,
            &environment("ADD", &[]),
            &config(Version::V0_4_0, &json!({})),
        );
        assert_eq!(
            refusal(&outcome),
            (199, "internal error: port 7 has no bridge".to_owned())
        );
        assert!(outcome.stdout.contains(r#""cniVersion": "0.4.0""#));
    }
}

#[test]
fn args_are_read_only_by_the_plugin_that_asks() {
    let odd = environment("ADD", &[(ARGS, "FOO=bar")]);
    assert_eq!(
        call(&Scribe::new(), &odd, &config(Version::V1_0_0, &json!({}))).exit,
        0
    );

    let stdin = config(Version::V1_0_0, &json!({ "prevResult": {} }));
    let network = || Network::of_call(stdin.as_bytes(), &Version::ALL, odd.clone()).unwrap();
    let attachment = || odd.attachment(&[]).unwrap();
    let expected = Error::new(
        Code::INVALID_ENVIRONMENT,
        r#"CNI_ARGS: unknown args ["FOO=bar"]"#,
    );
    let add = Add::new(network(), attachment()).unwrap();
    assert_eq!(add.args(&["MAC"]), Err(expected.clone()));
    assert_eq!(add.args(&["FOO"]).unwrap()["FOO"], "bar");
    let check = Check::new(network(), attachment()).unwrap();
    assert_eq!(check.args(&["MAC"]), Err(expected));
}
