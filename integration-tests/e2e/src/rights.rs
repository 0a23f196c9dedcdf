// SPDX-License-Identifier: Apache-2.0
//! What tests of containers' runtimes need that not every machine gives.

use std::fs;
use std::io::{Write, stderr};
use std::sync::OnceLock;

/// Whether tests of a container runtime can run here. Where they can't the first one says why, for
/// all of its executable: runc wants root's own users, devices and cgroups, see
/// `integration-tests/isolate`.
///
/// # Panics
/// When `/proc` is not there.
pub fn root_of_the_machine(runtime: &str) -> bool {
    static ROOT: OnceLock<bool> = OnceLock::new();
    *ROOT.get_or_init(|| is_root(runtime))
}

fn is_root(runtime: &str) -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").expect("/proc is there");
    let words: Vec<_> = map.split_whitespace().collect();
    let all = words == ["0", "0", "4294967295"];
    if !all {
        let tests = format!("the tests of {runtime}");
        did_not_run(&tests, "a container runtime needs to be root");
    }
    all
}

/// Says what is not tested here, and why; not by a macro, since what those print is shown of tests
/// that fail.
///
/// # Panics
/// When standard error is closed.
pub fn did_not_run(what: &str, why: &str) {
    let said = writeln!(stderr(), "{what} did not run: {why}");
    said.expect("standard error is open");
}
