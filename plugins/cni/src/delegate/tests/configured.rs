// SPDX-License-Identifier: Apache-2.0
//! Delegates whose configuration the caller makes.

use serde_json::Value;

use super::*;

/// What the delegate reads of `configuration` when the caller was sent `stdin`.
fn received(stdin: &Value, configuration: &Value) -> Value {
    let caller = Caller::sending(&stdin.to_string());
    let configuration = configuration.as_object().unwrap().clone();
    let delegate = caller.delegate("answers");
    let delegate = delegate.configured(&caller.network, configuration).unwrap();
    delegate.add().unwrap();
    let read = fs::read_to_string(caller.log.path().join("log.stdin")).unwrap();
    serde_json::from_str(&read).unwrap()
}

#[test]
fn it_gets_the_callers_configuration_and_what_the_runtime_sent_for_the_call() {
    let stdin = json!({
        "cniVersion": "1.1.0", "name": "net", "own": true, "runtimeConfig": {},
        "PrevResult": { "cniVersion": "1.1.0" }, "cni.dev/valid-attachments": null,
    });
    let same = json!({ "cniversion": "1.1.0", "name": "net", "prevResult": 5 });
    let mut expected = same.clone();
    expected["prevResult"] = json!({ "cniVersion": "1.1.0" });
    expected["cni.dev/valid-attachments"] = Value::Null;
    assert_eq!(received(&stdin, &same), expected);
    // Another version's result is of another shape.
    for version in ["0.3.1", "1.0.0"] {
        let other = json!({ "cniVersion": version, "name": "net" });
        assert_eq!(received(&stdin, &other).get("prevResult"), None);
    }
}

#[test]
fn a_configuration_of_no_version_is_refused() {
    let caller = Caller::new();
    let conf = json!({ "cniVersion": "2.0.0" });
    let conf = conf.as_object().unwrap().clone();
    let delegate = caller.delegate("answers");
    let error = delegate.configured(&caller.network, conf).unwrap_err();
    assert_eq!(error.code, Code::INCOMPATIBLE_VERSION);
}

#[test]
fn it_can_be_called_for_another_attachment() {
    let caller = Caller::new();
    let other = Attachment {
        container_id: "d".into(),
        ifname: "eth1".into(),
    };
    let delegate = caller.delegate("mute").for_attachment(&other);
    delegate.del().unwrap();
    let log = fs::read_to_string(caller.log.path().join("log")).unwrap();
    assert_eq!(log, "DEL d  eth1\n");
}

#[test]
fn a_failed_add_tells_whether_anything_is_left() {
    let caller = Caller::new();
    for (plugin, undone) in [
        ("refuses-add", true),
        ("mute", true),
        ("refuses", false),
        ("has-it", false),
    ] {
        let failed = caller.delegate(plugin).start_add().unwrap().end();
        assert_eq!(failed.unwrap_err().undone, undone, "{plugin}");
    }
}
