// SPDX-License-Identifier: Apache-2.0
//! Where iptables' `FORWARD` drops, packets of pods pass.

use integration_tests::{BRIEFLY, Outside, Runner, ping};
use serde_json::json;

use crate::site::{NO, NODE_PORT, POD_PORT, Site, YES, network, reaches, reaches_by_port};

#[test]
fn pods_talk_where_iptables_drops_what_is_forwarded() {
    let site = Site::new();
    site.drop_forwarded();
    let (here, there) = (network(5, &json!({})), network(6, &json!({})));
    let bare = here.first_plugin();
    let [a, b] = ["a", "b"].map(|name| site.attach(&here, name));
    let c = site.attach(&there, "c");
    for pod in [&a, &b, &c] {
        assert_eq!(site.reaches_outside(pod), YES, "{}", site.listed());
        // Who begins outside has not been asked for.
        assert_eq!(reaches(&site.outside, pod), NO);
        assert_eq!(reaches(&site.node, pod), YES);
    }
    for (from, to) in [(&a, &b), (&a, &c), (&c, &b)] {
        assert_eq!(reaches(from, to), YES);
    }
    // Whose network has not asked for it is dropped.
    let d = site.attach(&bare, "d");
    let reached = [Outside::V4, Outside::V6].map(|to| ping(&d, to, BRIEFLY));
    assert_eq!(reached, NO);
    for pod in [&a, &b] {
        site.runner.check(&here, pod, "eth0").unwrap();
    }
}

#[test]
fn rules_that_drop_are_overruled_as_a_policy_is() {
    let site = Site::new();
    for rule in ["-N OTHERS", "-A FORWARD -j OTHERS", "-A OTHERS -j REJECT"] {
        site.iptables(rule);
    }
    let pod = site.attach(&network(5, &json!({})), "a");
    assert_eq!(site.reaches_outside(&pod), YES);
    assert_eq!(reaches(&site.outside, &pod), NO);
}

#[test]
fn what_a_port_mapping_has_let_in_passes() {
    let site = Site::new();
    site.drop_forwarded();
    let pod = site.attach(&network(5, &json!({})), "a");
    assert!(!reaches_by_port(&site.outside, &pod, Outside::NODE_V4));
    site.map_port(&pod);
    assert!(reaches_by_port(&site.outside, &pod, Outside::NODE_V4));
    assert!(reaches_by_port(&site.outside, &pod, Outside::NODE_V6));
}

/// As nerdctl has them in a row.
#[test]
fn ports_of_portmap_are_reached_from_outside() {
    let site = Site::new();
    site.drop_forwarded();
    let mapping = json!([{"hostPort": NODE_PORT, "containerPort": POD_PORT, "protocol": "tcp"}]);
    let runner = Runner::new(&site.node).with_capability("portMappings", mapping);
    let portmap = json!({"type": "portmap", "capabilities": {"portMappings": true}});
    let chain = network(5, &json!({})).first_plugin().followed_by(portmap);
    let dropped = runner.attach(&chain, &site.node);
    assert!(!reaches_by_port(&site.outside, &dropped, Outside::NODE_V4));
    runner.del(&chain, &dropped, "eth0").unwrap();
    let chain = chain.followed_by(json!({"type": "firewall"}));
    let pod = runner.attach(&chain, &site.node);
    for node in [Outside::NODE_V4, Outside::NODE_V6] {
        assert!(reaches_by_port(&site.outside, &pod, node), "{node}");
    }
    runner.check(&chain, &pod, "eth0").unwrap();
    runner.del(&chain, &pod, "eth0").unwrap();
}

/// The reference plugin drops them: podman and nerdctl users know it.
#[test]
fn the_reference_plugin_drops_what_a_port_mapping_has_let_in() {
    let site = Site::of_reference();
    site.drop_forwarded();
    let pod = site.attach(&network(5, &json!({})), "a");
    assert_eq!(site.reaches_outside(&pod), YES);
    site.map_port(&pod);
    assert!(!reaches_by_port(&site.outside, &pod, Outside::NODE_V4));
}

#[test]
fn iptables_lists_saves_and_restores_the_rules() {
    let site = Site::new();
    site.drop_forwarded();
    let network = network(5, &json!({}));
    let pod = site.attach(&network, "a");
    let port = site.runner.port(&network, &pod);
    let listed = site.listed();
    for wanted in [
        "-A FORWARD -m comment --comment \"CNI firewall plugin rules\" -j CNI-FORWARD".to_owned(),
        "-A CNI-FORWARD -m comment --comment \"CNI firewall plugin admin overrides\" -j CNI-ADMIN"
            .to_owned(),
        format!(
            "-A CNI-FORWARD -s 10.1.5.2/32 -m comment --comment \"podwire pods5 {port}\" -j ACCEPT"
        ),
        format!(
            "-A CNI-FORWARD -d fd00:1:5::2/128 -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -m \
             comment --comment \"podwire pods5 {port}\" -j ACCEPT"
        ),
    ] {
        assert!(listed.contains(&wanted), "{wanted} is not in\n{listed}");
    }
    for [save, restore] in [
        ["iptables-save", "iptables-restore"],
        ["ip6tables-save", "ip6tables-restore"],
    ] {
        site.node.tool(save, "-f /run/lab/saved");
        site.node.tool(restore, "/run/lab/saved");
    }
    assert_eq!(site.listed(), listed);
    site.runner.check(&network, &pod, "eth0").unwrap();
    assert_eq!(site.reaches_outside(&pod), YES);
    site.detach(&network, &pod);
    assert!(!site.listed().contains("10.1.5.2"), "{}", site.listed());
}

#[test]
fn nothing_is_made_where_nothing_drops() {
    let site = Site::new();
    let network = network(5, &json!({}));
    let pod = site.attach(&network, "a");
    assert_eq!(site.ruleset(), "");
    site.runner.check(&network, &pod, "eth0").unwrap();
    site.runner.status(&network).unwrap();
    site.detach(&network, &pod);
    // Listing makes iptables' chains, empty and with the policy to accept.
    let empty = site.listed();
    let pod = site.attach(&network, "b");
    assert_eq!(site.listed(), empty);
    assert_eq!(reaches(&site.outside, &pod), YES);
}

/// Docker, say, was started later: CHECK tells, and the next ADD of a pod has what it needs.
#[test]
fn who_drops_later_is_told_by_check() {
    let site = Site::new();
    let network = network(5, &json!({}));
    let pod = site.attach(&network, "a");
    site.runner.check(&network, &pod, "eth0").unwrap();
    site.drop_forwarded();
    let failure = site.runner.check(&network, &pod, "eth0").unwrap_err();
    let (code, text) = failure.error();
    assert_eq!((failure.call.as_str(), code), ("firewall CHECK", 105));
    assert!(
        text.contains("chain FORWARD of table ip filter does not lead to CNI-FORWARD"),
        "{text}"
    );
    let later = site.attach(&network, "b");
    assert_eq!(site.reaches_outside(&later), YES);
    let (_, text) = site
        .runner
        .check(&network, &pod, "eth0")
        .unwrap_err()
        .error();
    assert!(
        text.contains("does not let the packets of 10.1.5.2 through"),
        "{text}"
    );
}
