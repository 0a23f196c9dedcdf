// SPDX-License-Identifier: Apache-2.0
//! The list of valid attachments, where a misreading takes away what is in use.

use super::*;

fn gc(more: &Value) -> (Outcome, Option<Vec<Attachment>>) {
    let plugin = Scribe::new();
    let outcome = call(
        &plugin,
        &environment("GC", &[]),
        &config(Version::V1_1_0, more),
    );
    let valid = plugin.seen.take().map(|seen| seen.valid);
    (outcome, valid)
}

#[test]
fn gc_gets_the_attachments_of_both_keys() {
    let list =
        json!([{ "containerID": "b", "ifname": "eth0" }, { "containerid": "a", "IfName": "e" }]);
    let expected = Some(vec![attachment("a", "e"), attachment("b", "eth0")]);
    for more in [
        json!({ "cni.dev/valid-attachments": list }),
        json!({ "cni.dev/attachments": list }),
        json!({ "CNI.dev/Valid-Attachments": list }),
        json!({ "cni.dev/valid-attachments": list, "cni.dev/attachments": list }),
        json!({ "cni.dev/valid-attachments": null, "cni.dev/attachments": list }),
        json!({ "cni.dev/valid-attachments": [list[0]], "cni.dev/attachments": [list[1]] }),
    ] {
        assert_eq!(gc(&more), (Outcome::default(), expected.clone()), "{more}");
    }
}

#[test]
fn gc_with_an_empty_list_finds_everything_stale() {
    for nothing in [json!(null), json!([])] {
        for key in ["cni.dev/valid-attachments", "cni.dev/attachments"] {
            assert_eq!(
                gc(&json!({ key: nothing })),
                (Outcome::default(), Some(Vec::new()))
            );
        }
    }
}

#[test]
fn gc_without_a_list_changes_nothing() {
    let (outcome, valid) = gc(&json!({}));
    assert_eq!(valid, None);
    assert_eq!((outcome.exit, outcome.stdout.as_str()), (0, ""));
    assert_eq!(
        outcome.stderr,
        "GC of network \"net\" names no attachments: nothing is changed"
    );
}

#[test]
fn gc_with_a_malformed_list_changes_nothing() {
    for (list, cause) in [
        (json!({}), ": expected an array, found an object"),
        (json!(["a"]), r#"[0]: expected an object, found "a""#),
        (
            json!([{ "containerID": "a" }]),
            "[0]: missing field `ifname`",
        ),
        (
            json!([{ "containerID": 1, "ifname": "a" }]),
            "[0].containerID: expected a string, found 1",
        ),
    ] {
        let (outcome, valid) = gc(&json!({ "cni.dev/attachments": list }));
        assert_eq!(valid, None);
        let wish = r#"cannot read the attachments of network "net": cni.dev/attachments"#;
        assert_eq!(refusal(&outcome).1, format!("{wish}{cause}"));
    }
}
