// SPDX-License-Identifier: Apache-2.0
//! What comes with flannel's place: its file, its differences, and itself.

use std::fs;
use std::path::Path;
use std::process::Command;

use integration_tests::{Agent, PATIENCE, podwired, seen};

use crate::lab::{ARGS, Cluster, DEVICES, NODES, SUBNET_ENV, make_rules, saved};

#[test]
fn subnet_env_says_what_the_plugin_flannel_needs() {
    let cluster = Cluster::new();
    let member = cluster.member();
    let before = member.node.read(SUBNET_ENV);
    // By an audit it would take a minute.
    let agent = Agent::converged(&member.node, &ARGS[..4]);
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
    // Without the overlay the plugin is to attach nobody.
    let written = member.node.file_eventually(path, PATIENCE, is_written);
    assert!(written, "{}", agent.log());
    drop(agent);
    let cleanup = podwired(&member.node, &["cleanup"]);
    assert!(cleanup.success(), "{cleanup}");
    let directory = member.node.run(|| fs::read_dir("/run/flannel"));
    assert_eq!(directory.expect("it is there").count(), 0);
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
        let gone = || !saved(member).contains("FLANNEL");
        assert!(member.node.eventually(PATIENCE, gone).is_some());
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

/// Rules of iptables-legacy are out of reach: what removes them is said, and does.
#[test]
fn what_removes_rules_of_iptables_legacy_is_told() {
    let cluster = Cluster::new();
    let member = cluster.member();
    for rule in [
        "-N FLANNEL-POSTRTG",
        "-A POSTROUTING -j FLANNEL-POSTRTG",
        "-A FLANNEL-POSTRTG -s 10.200.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE",
    ] {
        let arguments = format!("-w -t nat {rule}");
        member.node.tool("iptables-legacy", &arguments);
    }
    let agent = Agent::converged(&member.node, &ARGS);
    let log = agent.log();
    let told: Vec<_> = log.lines().filter(|it| it.contains("-legacy")).collect();
    assert_eq!(told.len(), 1, "{log}");
    let command = told[0].split('`').nth(1);
    let command = command.expect("a command stands between such signs");
    let mut shell = Command::new("sh");
    let removed = member.node.output(shell.args(["-c", command]));
    assert!(removed.success(), "{removed}");
    let left = member.node.tool("iptables-legacy-save", "");
    assert!(
        !left.contains("FLANNEL") && left.contains("POSTROUTING"),
        "{left}"
    );
    let outside = cluster.fleet.outside_addresses()[0];
    let seen = seen(&cluster.pods[0], &cluster.fleet.outside, outside);
    assert_eq!(seen, member.underlay()[0]);
}

/// Whoever calls flannel's chain from elsewhere keeps it there: it is told of, and nothing waits for it.
#[test]
fn a_chain_that_others_call_is_no_obstacle() {
    let cluster = Cluster::new();
    let member = cluster.member();
    for rule in ["-N OPERATORS", "-A OPERATORS -j FLANNEL-FWD"] {
        member.node.tool("iptables-nft", &format!("-w {rule}"));
    }
    let agent = Agent::converged(&member.node, &ARGS);
    let why = "flannel's rules stay beside podwired's: cannot";
    assert!(agent.says(why, PATIENCE), "{}", agent.log());
    let left = saved(member);
    assert!(left.contains("-A OPERATORS -j FLANNEL-FWD"), "{left}");
    assert!(!left.contains("FLANNEL-POSTRTG"), "{left}");
    // In the table of the other family nobody calls it.
    assert_eq!(
        left.matches("-N FLANNEL-FWD").count() + left.matches(":FLANNEL-FWD").count(),
        1,
        "{left}"
    );
}

/// A node that was given another pod CIDR since flanneld began: its pods have addresses of the old one.
#[test]
fn another_pod_cidr_than_flannels_is_refused_when_the_list_is_read() {
    let cluster = Cluster::new();
    let member = cluster.member();
    let said = member
        .node
        .read(SUBNET_ENV)
        .replace("10.200.1.1", "10.200.9.1");
    member.node.write(SUBNET_ENV, said);
    let before = saved(member);
    let agent = Agent::start(&member.node, &ARGS);
    let why = "pod CIDR in subnet.env: there 10.200.9.0/24, here 10.200.1.0/24";
    assert!(agent.says(why, PATIENCE), "{}", agent.log());
    let state = agent.wait_for_state("refused", PATIENCE, |it| it["lastError"].is_string());
    assert_eq!(state["converged"], false, "{state}");
    assert!(member.node.ip("route show proto 118").is_empty());
    let rules = |text: String| text.matches("FLANNEL").count();
    assert_eq!(rules(saved(member)), rules(before));
    // Nor does it change its mind by being started anew, or take what is flannel's away.
    drop(agent);
    let again = Agent::start(&member.node, &ARGS);
    assert!(again.says(why, PATIENCE), "{}", again.log());
    drop(again);
    let cleanup = podwired(&member.node, &["cleanup"]);
    assert!(cleanup.success(), "{cleanup}");
    member.node.read(SUBNET_ENV);
    let links = member.node.interfaces();
    for name in DEVICES {
        assert!(links.iter().any(|it| it == name), "{name}: {links:?}");
    }
}
