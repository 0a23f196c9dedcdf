// SPDX-License-Identifier: Apache-2.0
//! Where and when: what is true in one network namespace of one boot says nothing about another.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use net::sysctl;

/// The directory of Podwire's own files; gone with a reboot.
pub(crate) const DIRECTORY: &str = "/run/podwire";

/// This boot, and the network namespace of the process.
pub(crate) fn here() -> Option<String> {
    let boot = sysctl::read("kernel/random/boot_id").ok()?;
    let namespace = fs::metadata("/proc/self/ns/net").ok()?;
    Some(format!("{boot} {}:{}", namespace.dev(), namespace.ino()))
}
