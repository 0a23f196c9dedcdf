// SPDX-License-Identifier: Apache-2.0
//! Which processes are in a namespace, by `/proc`.

use std::fs;
use std::path::Path;

/// The command lines of all processes but this one that are in any of the namespaces, each given
/// as `/proc/PID/ns/*` names it, for example `net:[4026531840]`.
pub(crate) fn in_namespaces(links: &[String]) -> Vec<String> {
    let own = std::process::id().to_string();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter(|process| process.file_name().to_str() != Some(own.as_str()))
        .filter(|process| {
            ["net", "mnt"].iter().any(|kind| {
                let link = fs::read_link(process.path().join("ns").join(kind));
                link.is_ok_and(|link| links.iter().any(|other| Path::new(other) == link))
            })
        })
        .map(|process| {
            let words = fs::read_to_string(process.path().join("cmdline")).unwrap_or_default();
            words.replace('\0', " ").trim().to_owned()
        })
        .collect()
}
