// SPDX-License-Identifier: Apache-2.0
//! What is left after DEL and GC: nothing of the attachment, all of others.

use integration_tests::State;
use serde_json::json;

use crate::site::{NO, Site, YES, guarded, reaches};

#[test]
fn del_takes_everything_away_without_a_result_or_a_sandbox() {
    for policy in ["open", "same-bridge", "isolated"] {
        let site = Site::new();
        site.drop_forwarded();
        let network = guarded(5, policy);
        let _keeper = site.attach(&network, "keeper");
        let before = State::of(&site.node);
        let pod = site.attach(&network, "a");
        site.runner.forget(&network, "a", "eth0");
        drop(pod);
        for _twice in 0..2 {
            let deleted = site.runner.del_with(&network, "a", "", "eth0");
            deleted.unwrap_or_else(|failure| panic!("{failure}"));
            before.assert_nothing_left(&site.node, &["last_reserved"]);
        }
    }
}

#[test]
fn del_works_with_a_configuration_that_no_longer_validates() {
    let site = Site::new();
    site.drop_forwarded();
    let network = guarded(5, "isolated");
    let _keeper = site.attach(&network, "keeper");
    let before = State::of(&site.node);
    let pod = site.attach(&network, "a");
    let broken = network.with_at(
        1,
        &json!({"ingressPolicy": 7, "iptablesAdminChainName": [], "backend": "?"}),
    );
    site.detach(&broken, &pod);
    before.assert_nothing_left(&site.node, &["last_reserved"]);
}

#[test]
fn the_last_guard_takes_its_tables_along() {
    let site = Site::new();
    let network = guarded(5, "isolated");
    let pod = site.attach(&network, "a");
    assert!(site.ruleset().contains("ingress-pods"));
    site.detach(&network, &pod);
    assert_eq!(site.ruleset(), "");
}

#[test]
fn gc_takes_what_no_valid_attachment_owns() {
    let site = Site::new();
    site.drop_forwarded();
    let (network, other) = (guarded(5, "same-bridge"), guarded(6, "isolated"));
    let stranger = site.attach(&other, "stranger");
    let keeper = site.attach(&network, "keeper");
    let before = State::of(&site.node);
    let gone = site.attach(&network, "gone");
    drop(gone);
    site.runner.gc(&network, &[("keeper", "eth0")]).unwrap();
    before.assert_nothing_left(&site.node, &["last_reserved"]);
    assert_eq!(site.reaches_outside(&keeper), YES);
    assert_eq!(reaches(&stranger, &keeper), NO);
    site.runner.gc(&network, &[]).unwrap();
    site.runner.gc(&other, &[]).unwrap();
    assert!(!site.listed().contains("CNI-"), "{}", site.listed());
    assert!(!site.ruleset().contains("podwire"), "{}", site.ruleset());
}

#[test]
fn an_add_that_fails_leaves_nothing() {
    let site = Site::new();
    site.drop_forwarded();
    // A chain by that name cannot be jumped to: the kernel calls it itself.
    site.node.tool(
        "nft",
        "add chain ip6 filter BASE { type filter hook input priority 5; }",
    );
    let network = guarded(5, "isolated").with_at(1, &json!({"iptablesAdminChainName": "BASE"}));
    let pod = site.node.pod("a");
    let before = site.ruleset();
    let failure = site.runner.add(&network, &pod, "eth0").unwrap_err();
    assert_eq!(failure.call, "firewall ADD");
    assert_eq!(failure.error().0, 106, "{failure}");
    assert_eq!(site.ruleset(), before);
}

#[test]
fn check_tells_what_somebody_took_away() {
    let site = Site::new();
    site.drop_forwarded();
    let network = guarded(5, "isolated");
    let pod = site.attach(&network, "a");
    site.runner.check(&network, &pod, "eth0").unwrap();
    for (program, command, word) in [
        (
            "nft",
            "flush chain bridge podwire ingress",
            "chain ingress of table bridge podwire",
        ),
        (
            "nft",
            "flush set inet podwire ingress-bridges",
            "ingress-bridges of table inet podwire",
        ),
        (
            "iptables",
            "-F CNI-FORWARD",
            "chain CNI-FORWARD of table ip filter",
        ),
        ("iptables", "-F FORWARD", "chain FORWARD of table ip filter"),
    ] {
        site.node.tool(program, command);
        let failure = site.runner.check(&network, &pod, "eth0").unwrap_err();
        let (code, text) = failure.error();
        assert_eq!(code, 105, "{failure}");
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
}
