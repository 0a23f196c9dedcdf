// SPDX-License-Identifier: Apache-2.0
//! What comes with flannel's place: its file, its differences, and itself.

use std::fs;
use std::path::Path;

use integration_tests::{Agent, PATIENCE};

use crate::lab::{ARGS, Cluster, NODES, SUBNET_ENV, make_rules, saved};

#[test]
fn subnet_env_says_what_the_plugin_flannel_needs() {
    let cluster = Cluster::new();
    let member = cluster.member();
    let before = member.node.read(SUBNET_ENV);
    let agent = Agent::converged(&member.node, &ARGS);
    // Dual stack: packets of 1450 octets would not fit.
    let expected = before.replace("1450", "1430");
    let is_written = || {
        let content = member.node.run(|| fs::read_to_string(SUBNET_ENV));
        content.is_ok_and(|it| it == expected)
    };
    let path = Path::new(SUBNET_ENV);
    for _ in 0..2 {
        let written = member.node.file_eventually(path, PATIENCE, is_written);
        assert!(written, "{}", agent.log());
        let removed = member.node.run(|| fs::remove_file(SUBNET_ENV));
        removed.expect("it is there");
    }
}

/// flanneld makes its rules anew every few seconds: they go again, and it is said once.
#[test]
fn a_flanneld_that_runs_still_is_told_of_once() {
    let cluster = Cluster::new();
    let member = cluster.member();
    let agent = Agent::converged(&member.node, &ARGS);
    let mut heard = 0;
    for round in 0..3 {
        let removed = agent.says_after(heard, "removed flannel's rules", PATIENCE);
        assert!(removed.is_some(), "round {round}: {}", agent.log());
        assert!(!saved(member).contains("FLANNEL"));
        heard = agent.log().len();
        make_rules(&cluster.fleet, member);
    }
    let told = agent.log().matches("flanneld seems to run still").count();
    assert_eq!(told, 1, "{}", agent.log());
}

#[test]
fn what_differs_is_refused_before_anything_is_changed() {
    let cluster = Cluster::new();
    let member = cluster.member();
    let look = || {
        let links = member.node.ip("-d link show type vxlan");
        [saved(member), links, member.node.ip("route show table all")].concat()
    };
    let zeroed = |text: String| -> Vec<String> {
        let is_rule = |line: &&str| !line.starts_with(['#', ':']);
        text.lines().filter(is_rule).map(str::to_owned).collect()
    };
    let before = zeroed(look());
    let args = [
        "--nodes",
        NODES,
        "--take-over-flannel",
        "--port",
        "4789",
        "--network",
        "10.0.0.0/8",
    ];
    let ended = Agent::start(&member.node, &args).wait();
    assert!(!ended.status.success(), "{}", ended.log);
    for line in [
        "  port of device flannel.1: there 8472, here 4789; give flannel's with --port",
        "  port of device flannel-v6.1: there 8472, here 4789; give",
        "  cluster network in subnet.env: there 10.200.0.0/16, here 10.0.0.0/8; give",
        "  masquerade of packets that leave the cluster: there flanneld's, here none; give --ip-masq",
    ] {
        assert!(ended.log.contains(line), "{line}\n{}", ended.log);
    }
    assert_eq!(zeroed(look()), before);
}
