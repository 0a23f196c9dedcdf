// SPDX-License-Identifier: Apache-2.0
//! What tests of containers' runtimes need that others don't.

use std::fs;
use std::io::{Write, stderr};

/// Whether a test of a container runtime can run here, which says why if it can't: runc wants
/// root's own users, devices and cgroups, see `integration-tests/isolate`.
///
/// # Panics
/// When `/proc` is not there.
pub fn root_of_the_machine(test: &str) -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").expect("/proc is there");
    let words: Vec<_> = map.split_whitespace().collect();
    let all = words == ["0", "0", "4294967295"];
    if !all {
        // Not by a macro: what those print is shown of tests that fail.
        let said = writeln!(
            stderr(),
            "{test} did not run: a container runtime needs to be root"
        );
        said.expect("standard error is open");
    }
    all
}
