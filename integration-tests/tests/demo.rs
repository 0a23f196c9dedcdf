// SPDX-License-Identifier: Apache-2.0
//! `make demo` shows what it promises on a machine with nothing installed, and fails with a sentence
//! where that is not so.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use integration_tests::binaries;

/// Runs it with plugins of any directory, and not one other program in reach.
fn demo(plugins: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command.env_clear().env("PODWIRE_PLUGINS", plugins);
    command.output().expect("it can be executed")
}

#[test]
fn it_runs_to_its_end_without_other_programs() {
    let Output {
        status,
        stdout,
        stderr,
    } = demo(binaries::plugins());
    let (said, wrong) = [stdout, stderr]
        .map(|text| String::from_utf8(text).unwrap())
        .into();
    assert!(status.success() && wrong.is_empty(), "{said}{wrong}");
    for words in [
        "10.200.2.0/24 → 10.200.2.0 → ",
        "web on n1 → db on n2  10.200.1.2 fd00:200:0:1::2 ",
        "  n1  10.200.1.2 → 192.0.2.1             answers 192.0.2.1 → 192.0.2.11             translated",
        "  n2  10.200.1.2 → 10.200.2.2            answers 10.200.2.2 → 10.200.1.2            not translated",
        "repaired the overlay",
        "questions have been answered by the same connection",
        "On both nodes no VXLAN device,",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

/// With a plugin that fails without a word, and with an agent that does nothing.
#[test]
fn it_fails_with_a_sentence_and_ends_what_it_started() {
    for (program, script, sentence) in [
        ("vxlan", "#!/bin/sh\nexit 1\n", "vxlan ADD: exit status 1"),
        ("podwired", "#!/bin/sh\nexec sleep 60\n", "not converged"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        for other in ["bridge", "host-local", "vxlan", "podwired"] {
            if other != program {
                symlink(
                    binaries::plugins().join(other),
                    directory.path().join(other),
                )
                .unwrap();
            }
        }
        let path = directory.path().join(program);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        let output = demo(directory.path());
        let wrong = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success());
        assert!(wrong.starts_with("\nThe demonstration failed: "), "{wrong}");
        assert!(wrong.contains(sentence), "{wrong}");
    }
}
