// SPDX-License-Identifier: Apache-2.0
//! Sysctls of the whole namespace that the kernel carries over to those of interfaces when they are
//! written. To take such a one back is not enough: that is carried over as well.

use std::fs;

use net::sysctl;

/// `net/ipv4/conf/all/forwarding` under another name.
const IP_FORWARD: &str = "net/ipv4/ip_forward";
const FORWARDING: &str = "net/ipv4/conf/all/forwarding";
/// The kernel gives it another value whenever forwarding changes (RFC 1812, section 5.2.7.2).
const REDIRECTS: &str = "net/ipv4/conf/all/accept_redirects";

/// What there is now of that over which the kernel may carry the sysctl: files and their values.
pub(crate) fn over(path: &str) -> Vec<(String, String)> {
    let path = if path == IP_FORWARD { FORWARDING } else { path };
    let Some((directory, key)) = place(path) else {
        return Vec::new();
    };
    let entries = fs::read_dir(format!("/proc/sys/{directory}"));
    let names = entries.into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let redirects = (path == FORWARDING).then(|| REDIRECTS.to_owned());
    names
        .map(|name| format!("{directory}/{name}/{key}"))
        .filter(|file| file != path)
        .chain(redirects)
        .filter_map(|file| sysctl::read(&file).ok().map(|value| (file, value)))
        .collect()
}

/// Directory and key of one that is of no single interface.
fn place(path: &str) -> Option<(&str, &str)> {
    ["/all/", "/default/"]
        .into_iter()
        .find_map(|common| path.split_once(common))
        .filter(|(directory, _)| directory.ends_with("/conf"))
}
