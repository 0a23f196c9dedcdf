// SPDX-License-Identifier: Apache-2.0
//! Delegates are shell scripts here. Each of them writes its verb and its stdin down first, in
//! files beside the one that `CNI_ARGS` names.

mod configured;
mod lookup;

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::LazyLock;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::environment::{ARGS, CONTAINER_ID, IFNAME, NETNS, PATH};
use crate::{Call, Status};

const PRELUDE: &str = "#!/bin/sh
log=${CNI_ARGS#LOG=}
echo \"$CNI_COMMAND $CNI_CONTAINERID $CNI_NETNS $CNI_IFNAME\" >> \"$log\"
";

const SCRIPTS: [(&str, &str); 15] = [
    (
        "answers",
        r#"cat > "$log.stdin"; echo '{ "ips": [{ "address": "10.1.2.3/24" }] }'"#,
    ),
    (
        "answers-old",
        r#"echo '{ "cniVersion": "0.2.0", "ip4": { "ip": "10.1.2.3/24" } }'"#,
    ),
    ("answers-null", "echo null"),
    (
        "answers-late",
        r#"while [ ! -e "$log.go" ]; do sleep 0.01; done; echo '{}'"#,
    ),
    (
        "talks-first",
        r#"head -c 200000 /dev/zero | tr '\0' ' '; cat > "$log.stdin"; echo '{}'"#,
    ),
    ("deaf", "exec <&-; echo '{}'"),
    ("garbles", r#"[ "$CNI_COMMAND" != ADD ] || echo hello"#),
    ("mute", ":"),
    (
        "refuses-add",
        r#"[ "$CNI_COMMAND" != ADD ] || { echo '{ "code": 104, "msg": "full", "details": "a-b" }'; exit 1; }"#,
    ),
    (
        "has-it",
        r#"echo '{ "code": 102, "msg": "10.1.2.3 is taken by c" }'; exit 1"#,
    ),
    (
        "has-it-in-go",
        r#"echo '{ "code": 999, "msg": "failed to allocate for range 0: 10.1.2.3 has been allocated to c, duplicate allocation is not allowed" }'; exit 1"#,
    ),
    (
        "refuses",
        r#"echo "{ \"code\": 11, \"msg\": \"no $CNI_COMMAND\" }"; exit 1"#,
    ),
    (
        "says-its-name",
        r#"echo '{ "code": 105, "msg": "says-its-name: gone" }'; exit 1"#,
    ),
    ("breaks", "echo broken >&2; exit 3"),
    ("dies", "kill -9 $$"),
];

/// The scripts, all written before the first one starts: a process that another test starts
/// meanwhile would hold a script open for writing for a moment, and that keeps it from starting.
static BIN: LazyLock<TempDir> = LazyLock::new(|| {
    let bin = tempfile::tempdir().unwrap();
    for (name, script) in SCRIPTS {
        write_script(&bin.path().join(name), script);
    }
    bin
});

fn write_script(path: &Path, script: &str) {
    fs::write(path, format!("{PRELUDE}{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A call that delegates, and what its delegate has written down.
struct Caller {
    log: TempDir,
    network: Network,
}

impl Caller {
    fn new() -> Self {
        Self::sending(&json!({ "cniVersion": "1.0.0", "name": "net" }).to_string())
    }

    fn sending(stdin: &str) -> Self {
        let log = tempfile::tempdir().unwrap();
        let args = format!("LOG={}", log.path().join("log").display());
        let path = format!(":/absent:{}", BIN.path().display());
        let variables = [
            (ARGS, &*args),
            (PATH, &path),
            (CONTAINER_ID, "c"),
            (NETNS, "/n"),
            (IFNAME, "eth0"),
        ];
        let environment = variables.into_iter().collect();
        let network = Network::of_call(stdin.as_bytes(), &Version::ALL, environment).unwrap();
        Self { log, network }
    }

    fn delegate(&self, plugin: &str) -> Delegate {
        Delegate::find(plugin, &self.network, Code::DELEGATE).unwrap()
    }

    fn calls(&self) -> Vec<String> {
        let log = fs::read_to_string(self.log.path().join("log")).unwrap_or_default();
        log.lines()
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect()
    }
}

#[test]
fn a_delegate_gets_the_same_environment_and_stdin() {
    let stdin = r#"{ "Name": "net", "cniVersion": "1.0.0", "other": [ null ] }"#;
    let caller = Caller::sending(stdin);
    caller.delegate("answers").add().unwrap();
    let read = |file| fs::read_to_string(caller.log.path().join(file)).unwrap();
    assert_eq!(read("log"), "ADD c /n eth0\n");
    assert_eq!(read("log.stdin"), stdin);
}

#[test]
fn every_verb_can_be_delegated() {
    let caller = Caller::new();
    let delegate = caller.delegate("mute");
    for call in [
        Delegate::del,
        Delegate::check,
        Delegate::gc,
        Delegate::status,
    ] {
        assert_eq!(call(&delegate), Ok(()));
    }
    assert_eq!(caller.calls(), ["DEL", "CHECK", "GC", "STATUS"]);
}

#[test]
fn the_result_of_add_is_read() {
    let caller = Caller::new();
    let address = "10.1.2.3/24".parse().unwrap();
    let expected = AddResult {
        ips: vec![crate::Ip {
            address,
            gateway: None,
            interface: None,
        }],
        ..AddResult::default()
    };
    assert_eq!(caller.delegate("answers").add(), Ok(expected.clone()));
    assert_eq!(caller.delegate("answers-old").add(), Ok(expected));
    assert_eq!(
        caller.delegate("answers-null").add(),
        Ok(AddResult::default())
    );
    assert_eq!(caller.calls(), ["ADD", "ADD", "ADD"]);
}

#[test]
fn the_caller_works_while_the_delegate_does() {
    let caller = Caller::new();
    let add = caller.delegate("answers-late").start_add().unwrap();
    File::create(caller.log.path().join("log.go")).unwrap();
    assert_eq!(add.finish(), Ok(AddResult::default()));
}

#[test]
fn a_long_configuration_and_an_early_answer_do_not_block_each_other() {
    let stdin = json!({ "cniVersion": "1.0.0", "name": "net", "x": "y".repeat(300_000) });
    let caller = Caller::sending(&stdin.to_string());
    assert_eq!(
        caller.delegate("talks-first").add(),
        Ok(AddResult::default())
    );
    let read = fs::read_to_string(caller.log.path().join("log.stdin")).unwrap();
    assert_eq!(read, stdin.to_string());
}

#[test]
fn a_delegate_need_not_read_its_stdin() {
    for length in [0, 300_000] {
        let stdin = json!({ "cniVersion": "1.0.0", "name": "net", "x": "y".repeat(length) });
        let caller = Caller::sending(&stdin.to_string());
        assert_eq!(caller.delegate("deaf").add(), Ok(AddResult::default()));
    }
}

#[test]
fn a_failed_add_is_undone_and_its_error_passed_on() {
    let caller = Caller::new();
    let error = caller.delegate("refuses-add").add().unwrap_err();
    let expected = Error::new(Code::RANGE_EXHAUSTED, "refuses-add: full").with_details("a-b");
    assert_eq!(error, expected);
    assert_eq!(caller.calls(), ["ADD", "DEL"]);
}

#[test]
fn an_undo_that_fails_too_is_told() {
    let caller = Caller::new();
    let error = caller.delegate("refuses").add().unwrap_err();
    let msg = "refuses: no ADD; not undone: refuses: no DEL";
    assert_eq!(error, Error::new(Code::TRY_AGAIN_LATER, msg));
    assert_eq!(caller.calls(), ["ADD", "DEL"]);
}

#[test]
fn a_delegate_is_named_once() {
    let error = Caller::new().delegate("says-its-name").check().unwrap_err();
    assert_eq!(error, Error::new(Code::CHECK_FAILED, "says-its-name: gone"));
}

#[test]
fn a_second_add_does_not_undo_the_first() {
    for plugin in ["has-it", "has-it-in-go"] {
        let caller = Caller::new();
        assert!(caller.delegate(plugin).add().is_err());
        drop(caller.delegate(plugin).start_add().unwrap());
        assert_eq!(caller.calls(), ["ADD", "ADD"]);
    }
}

#[test]
fn an_answer_that_is_no_result_is_undone() {
    for (plugin, cause) in [("garbles", "expected value"), ("mute", "EOF while parsing")] {
        let caller = Caller::new();
        let error = caller.delegate(plugin).add().unwrap_err();
        assert_eq!(error.code, Code::DELEGATE);
        let wish = format!("plugin {plugin:?} answered ADD with something else than a result");
        assert!(
            error.msg.starts_with(&format!("{wish}: {cause}")),
            "{error}"
        );
        assert_eq!(caller.calls(), ["ADD", "DEL"]);
    }
}

#[test]
fn a_failure_without_error_object_says_what_is_known() {
    let caller = Caller::new();
    for (plugin, cause) in [
        ("breaks", "(exit status: 3): broken"),
        ("dies", "(signal: 9 (SIGKILL)): it said nothing"),
    ] {
        let msg = format!("plugin {plugin:?} failed DEL without an error object {cause}");
        assert_eq!(
            caller.delegate(plugin).del(),
            Err(Error::new(Code::DELEGATE, msg))
        );
    }
}

#[test]
fn an_add_that_is_dropped_is_undone_after_it_has_ended() {
    let caller = Caller::new();
    drop(caller.delegate("answers").start_add().unwrap());
    assert_eq!(caller.calls(), ["ADD", "DEL"]);
}

#[test]
fn an_executable_that_cannot_start_is_named() {
    let caller = Caller::new();
    let mut delegate = caller.delegate("mute");
    let file = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o644))
        .tempfile();
    let file = file.unwrap();
    delegate.executable = file.path().to_owned();
    let error = delegate.add().unwrap_err();
    assert_eq!(error.code, Code::DELEGATE);
    let expected = format!("cannot start plugin {:?}: Permission denied", file.path());
    assert!(error.msg.starts_with(&expected), "{error}");
}

#[test]
fn an_executable_that_is_being_replaced_can_be_tried_again() {
    let caller = Caller::new();
    let mut delegate = caller.delegate("mute");
    delegate.executable = caller.log.path().join("busy");
    write_script(&delegate.executable, "");
    let _writer = File::options()
        .append(true)
        .open(&delegate.executable)
        .unwrap();
    assert_eq!(delegate.add().unwrap_err().code, Code::TRY_AGAIN_LATER);
}
