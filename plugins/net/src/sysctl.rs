// SPDX-License-Identifier: Apache-2.0
//! Kernel settings below `/proc/sys`. Those below `net/` belong to a network
//! namespace: the kernel resolves them in the one of the thread that opens the
//! file, so for a sandbox call these inside [`Netns::run`](crate::Netns::run).

use std::fs;

use nix::unistd::{AccessFlags, access};

use crate::Error;
use crate::error::Cause;

/// The value of a setting, without the final newline. `path` is relative to
/// `/proc/sys`, with slashes: `net/ipv4/ip_forward`.
///
/// # Errors
/// When the file cannot be read; [`Error::is_not_found`] when this kernel, or
/// this namespace, has no such setting.
pub fn read(path: &str) -> Result<String, Error> {
    match fs::read_to_string(file(path)) {
        Ok(value) => Ok(value.trim_end().to_owned()),
        Err(e) => Err(Cause::from(e).during(format!("cannot read the sysctl {path}"))),
    }
}

/// Gives a setting this value, writing only when it has another one: a setting
/// that is right already is left alone even where `/proc/sys` is read-only.
///
/// Equal to `sysctl -w`, without the write in the common case.
///
/// # Errors
/// When the file cannot be read or written.
pub fn ensure(path: &str, value: &str) -> Result<(), Error> {
    if read(path)?.split_whitespace().eq(value.split_whitespace()) {
        return Ok(());
    }
    write(path, value)
}

/// Gives a setting this value, whatever it has; for settings that cannot be read.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &str, value: &str) -> Result<(), Error> {
    // As sysctl(8) does it, with a newline: without one an empty value would write nothing.
    fs::write(file(path), format!("{value}\n"))
        .map_err(|e| Cause::from(e).during(format!("cannot set the sysctl {path} to {value:?}")))
}

/// Whether there is such a setting, or a directory of them.
#[must_use]
pub fn exists(path: &str) -> bool {
    access(file(path).as_str(), AccessFlags::F_OK).is_ok()
}

/// Whether a setting could be written now: in an unprivileged container `/proc/sys` is read-only.
#[must_use]
pub fn is_writable(path: &str) -> bool {
    access(file(path).as_str(), AccessFlags::W_OK).is_ok()
}

fn file(path: &str) -> String {
    format!("/proc/sys/{path}")
}
