// SPDX-License-Identifier: Apache-2.0
//! There and back without a gap.

use integration_tests::flannel;
use integration_tests::{Agent, Conversation, Fleet, PATIENCE, Stack, podwired, seen};
use serde_json::json;

use crate::lab::{
    ARGS, Cluster, DEVICES, NODES, VNI, assert_none_lost, make_rules, ruleset, saved, vteps,
    within_a_second,
};

#[test]
fn rules_give_way_without_a_gap_and_are_kept() {
    let cluster = Cluster::new();
    let member = cluster.member();
    let [outside, _] = [0, 1].map(|it| cluster.fleet.outside_addresses()[it]);
    // A connection that flannel's rules have masqueraded.
    let old = Conversation::start(&cluster.pods[0], &cluster.fleet.outside, outside, 80);
    assert_eq!(old.seen().ip(), member.underlay()[0]);
    let (streams, inquirers) = (cluster.streams(), cluster.inquirers());
    let agents: Vec<_> = cluster
        .fleet
        .members
        .iter()
        .map(|member| Agent::converged(&member.node, &ARGS))
        .collect();
    for (member, agent) in cluster.fleet.members.iter().zip(&agents) {
        let saved = saved(member);
        assert!(!saved.contains("FLANNEL"), "{saved}\n{}", agent.log());
        assert_eq!(
            saved.matches("podwire: pods of the overlay").count(),
            4,
            "{saved}"
        );
        assert!(
            agent.log().contains("removed flannel's rules"),
            "{}",
            agent.log()
        );
        let status = agent.status();
        assert_eq!(status["usable"], true, "{status}\n{}", agent.log());
    }
    assert!(old.wait_for(20, PATIENCE));
    assert_none_lost(streams);
    for inquirer in inquirers {
        assert!(inquirer.end() > 20);
    }
    // Somebody empties the chain: its policy cuts pods off from each other.
    member.node.tool("iptables", "-w -F FORWARD");
    let restored = || {
        saved(member)
            .matches("podwire: pods of the overlay")
            .count()
            == 4
    };
    assert!(within_a_second(member, restored), "{}", agents[0].log());
    drop(old);
    // Without any rule but ours pods still go out as their node.
    member.node.tool("nft", "flush ruleset");
    let restored = || ruleset(member).contains("masq-overlay/subnets");
    assert!(within_a_second(member, restored), "{}", agents[0].log());
    let outside = cluster.fleet.outside_addresses().into_iter();
    for (to, node) in outside.zip(member.underlay()) {
        assert_eq!(seen(&cluster.pods[0], &cluster.fleet.outside, to), node);
    }
}

#[test]
fn no_packet_is_lost_there_and_back() {
    let cluster = Cluster::new();
    let member = cluster.member();
    let macs = || DEVICES.map(|name| member.node.link(name).mac);
    let before = macs();
    let (streams, inquirers) = (cluster.streams(), cluster.inquirers());
    let agent = Agent::converged(&member.node, &ARGS);
    agent.terminate();
    let back = ["cleanup", "--keep-device"];
    let refused = podwired(&member.node, &back);
    assert!(
        !refused.success() && refused.stderr.contains("begin it on this node"),
        "{refused}"
    );
    assert!(ruleset(member).contains("masq-overlay/subnets"));
    // flanneld begins: its rules, and routes of its own beside ours.
    make_rules(&cluster.fleet, member);
    for peer in vteps(&cluster.fleet.members[1]) {
        flannel::peer(&member.node, &peer, VNI);
    }
    let done = podwired(&member.node, &back);
    assert!(done.success(), "{done}");
    assert!(!ruleset(member).contains("podwire"), "{}", ruleset(member));
    for family in ["-4", "-6"] {
        let ours = member.node.ip(&format!("{family} route show proto 118"));
        let theirs = member.node.ip(&format!("{family} route show proto boot"));
        assert!(
            ours.is_empty() && theirs.contains("flannel"),
            "{ours}{theirs}"
        );
    }
    assert_none_lost(streams);
    for inquirer in inquirers {
        assert!(inquirer.end() > 20);
    }
    assert_eq!(macs(), before);
    // And once more, from what the way back left.
    let agent = Agent::converged(&member.node, &ARGS);
    assert_eq!(agent.status()["usable"], true, "{}", agent.status());
}

/// Before flanneld has begun anew, with routes that only we have.
#[test]
fn routes_become_flannels_where_it_has_none_yet() {
    let cluster = Cluster::new();
    let member = cluster.member();
    Agent::converged(&member.node, &ARGS).terminate();
    make_rules(&cluster.fleet, member);
    let streams = cluster.streams();
    let done = podwired(&member.node, &["cleanup", "--keep-device"]);
    assert!(done.success(), "{done}");
    for (family, cidr) in [("-4", 0), ("-6", 1)] {
        let routes = member.node.ip(&format!("{family} route show proto boot"));
        let peers = cluster.fleet.members[1].pod_cidrs()[cidr].to_string();
        assert!(routes.lines().any(|it| it.starts_with(&peers)), "{routes}");
    }
    assert_none_lost(streams);
}

/// The agent, begun anew, masquerades no longer: what it did goes.
#[test]
fn what_is_no_longer_wished_goes() {
    let cluster = Cluster::new();
    let member = cluster.member();
    Agent::converged(&member.node, &ARGS).terminate();
    assert!(ruleset(member).contains("masq-overlay/subnets"));
    let agent = Agent::converged(&member.node, &ARGS[..3]);
    let gone = || !ruleset(member).contains("masq-overlay/subnets");
    assert!(within_a_second(member, gone), "{}", agent.log());
    assert_eq!(agent.status()["usable"], true, "{}", agent.status());
}

/// Without flannel, too; and not to where pods' addresses are known.
#[test]
fn what_is_named_is_reached_untranslated() {
    let fleet = Fleet::new(1, Stack::Dual);
    let member = &fleet.members[0];
    member.node.write(NODES, fleet.nodes_json());
    let pod = member.attach(&member.bridge().with(&json!({"ipMasq": false})));
    let ends: Vec<_> = fleet
        .outside_addresses()
        .into_iter()
        .zip(member.underlay())
        .collect();
    let args = ["--nodes", NODES, "--ip-masq"];
    Agent::converged(&member.node, &args).terminate();
    for (to, node) in &ends {
        assert_eq!(seen(&pod, &fleet.outside, *to), *node);
    }
    let untranslated = ["--non-masquerade-cidr"; 2].into_iter();
    let untranslated = untranslated.zip(["192.0.2.0/24", "2001:db8:1::/64"]);
    let untranslated = untranslated.flat_map(|(option, cidr)| [option, cidr]);
    let args: Vec<_> = args.into_iter().chain(untranslated).collect();
    let agent = Agent::converged(&member.node, &args);
    // The state of the first one says that it has converged, too.
    let exempt = || ruleset(member).contains("192.0.2.0/24 accept");
    assert!(within_a_second(member, exempt), "{}", agent.log());
    let addresses = pod.all_addresses().into_iter().zip(member.pod_cidrs());
    for ((to, node), (own, cidr)) in ends.into_iter().zip(addresses) {
        fleet.outside.add_route(cidr, node);
        assert_eq!(seen(&pod, &fleet.outside, to), own);
    }
    assert_eq!(agent.status()["usable"], true, "{}", agent.status());
}
