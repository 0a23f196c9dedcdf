// SPDX-License-Identifier: Apache-2.0
//! What the kernel says of a member and of a process.

use integration_tests::Member;
use serde_json::Value;

/// The bytes that a member has received from the network.
pub(crate) fn received(member: &Member) -> u64 {
    let json = member.node.ip("-stats -json link show eth0");
    let links: Value = serde_json::from_str(&json).expect("ip writes JSON");
    let bytes = links[0]["stats64"]["rx"]["bytes"].as_u64();
    bytes.expect("a link counts what it receives")
}

/// What a process has in memory, and had at most, in MB.
pub(crate) fn memory(pid: u32) -> [f64; 2] {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
    let status = status.expect("the process runs");
    ["VmRSS:", "VmHWM:"].map(|key| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
        kilobytes.expect("the kernel tells it") / 1e3
    })
}
