// SPDX-License-Identifier: Apache-2.0
//! DEL gives back what was there, whatever is left to work with, and GC forgets what nobody needs.

use integration_tests::PATIENCE;
use integration_tests::bench::call;
use serde_json::{Value, json};

use crate::{BACKUP, BACKUPS, Site, everything, tuned};

#[test]
fn del_gives_back_what_the_interface_had_and_twice_is_as_once() {
    let site = Site::new();
    let before = site.link();
    for keys in [
        everything(),
        json!({}),
        json!({"mtu": "nonsense", "mac": 5, "sysctl": []}),
    ] {
        site.add(&everything());
        assert_eq!(site.link(), tuned(&before));
        for _ in ["once", "twice"] {
            let call = site.call("DEL", &keys).env("CNI_ARGS", "MAC=nonsense;x");
            call.run(&site.bench.node).assert_silent();
            assert_eq!(site.link(), before);
            site.bench.assert_clean();
        }
    }
    assert!(integration_tests::ping(
        &site.pod,
        site.bench.keeper.ipv4("eth0"),
        PATIENCE
    ));
}

#[test]
fn del_removes_the_backup_when_there_is_nothing_to_restore() {
    let site = Site::new();
    let keys = json!({"mtu": 1400, "txQLen": 77});
    for netns in ["", "/run/netns/gone", "/run/lab", "/proc/self/ns/net"] {
        site.add(&keys);
        let call = site.call("DEL", &json!({})).env("CNI_NETNS", netns);
        call.run(&site.bench.node).assert_silent();
        site.bench.assert_clean();
        assert_eq!((site.link().mtu, site.link().tx_queue_len), (1400, 77));
    }
    site.add(&keys);
    site.pod.ip("link set eth0 down");
    site.pod.ip("link set eth0 name eth9");
    site.done("DEL", &json!({}));
    site.bench.assert_clean();
}

#[test]
fn a_backup_that_is_damaged_is_removed() {
    let site = Site::new();
    for text in ["", "{", "[]", r#"{"mtu": "1500"}"#, "\u{0}"] {
        site.bench.node.write(BACKUP, text);
        site.done("DEL", &json!({}));
        site.bench.assert_clean();
    }
}

#[test]
fn what_cannot_be_given_back_keeps_nothing_from_being_deleted() {
    let site = Site::new();
    let before = site.link();
    site.bench.node.write(
        BACKUP,
        r#"{"mac": "01:00:00:00:00:01", "mtu": 1400, "txQLen": 9}"#,
    );
    let outcome = site.call("DEL", &json!({})).run(&site.bench.node);
    outcome.assert_silent();
    assert!(
        outcome
            .stderr
            .contains("back its MAC address 01:00:00:00:00:01"),
        "{outcome}"
    );
    let link = site.link();
    assert_eq!(
        (link.mac, link.mtu, link.tx_queue_len),
        (before.mac, 1400, 9)
    );
    site.bench.assert_clean();
}

#[test]
fn two_in_a_chain_give_back_what_was_there_before_both() {
    let site = Site::new();
    let before = site.link();
    let second = json!({"mtu": 1300, "txQLen": 5});
    site.add(&json!({"mtu": 1400}));
    site.add(&second);
    site.done("DEL", &second);
    site.done("DEL", &json!({"mtu": 1400}));
    assert_eq!(site.link(), before);
    site.bench.assert_clean();
}

#[test]
fn a_backup_is_where_the_configuration_says() {
    let site = Site::new();
    let before = site.link();
    let keys = json!({"mtu": 1400, "dataDir": "/run/lab/new/backups"});
    site.add(&keys);
    assert_eq!(
        site.bench.node.list("/run/lab/new/backups"),
        ["a_eth0.json"]
    );
    assert!(!site.has_backup());
    site.done("DEL", &keys);
    assert_eq!(site.bench.node.list("/run/lab/new/backups"), [""; 0]);
    assert_eq!(site.link(), before);
}

#[test]
fn gc_removes_the_backups_of_the_networks_attachments_that_are_gone() {
    let site = Site::new();
    site.add(&everything());
    let strangers = json!({"mtu": 1500, "podwire": {"network": "cluster", "containerID": "stranger",
        "ifname": "eth0"}});
    let file = |name: &str| format!("{BACKUPS}/{name}.json");
    site.bench
        .node
        .write(file("stranger_eth0"), strangers.to_string());
    site.bench.node.write(file("b_eth0"), r#"{"mtu": 1500}"#);
    site.bench.node.write(file("garbage"), "{");
    let gc = |valid: Value| {
        let keys = json!({"cni.dev/valid-attachments": valid, "prevResult": null});
        let network = integration_tests::Network::new(site.configuration(&keys));
        call(&site.bench.runner, &network, "GC", "")
            .run(&site.bench.node)
            .assert_silent();
        site.bench.node.list(BACKUPS)
    };
    let others = ["b_eth0.json", "garbage.json", "stranger_eth0.json"];
    let all = [&["a_eth0.json"], &others[..]].concat();
    assert_eq!(gc(json!([{"containerID": "a", "ifname": "eth0"}])), all);
    assert_eq!(gc(json!([{"containerID": "a", "ifname": "eth1"}])), others);
    assert_eq!(gc(json!([])), others);
}

/// Two attachments whose backups have one name: `a_b` with `c`, and `a` with `b_c`.
#[test]
fn del_leaves_the_backup_of_another_attachment_alone() {
    let site = Site::new();
    let before = site.link();
    let theirs = json!({"mtu": 1300, "podwire": {"network": "pods", "containerID": "a_eth0",
        "ifname": "x"}});
    let file = format!("{BACKUPS}/a_eth0_x.json");
    site.bench.node.write(&file, theirs.to_string());
    site.pod.ip("link add eth0_x type veth peer name other");
    let mtu = site.pod.link("eth0_x").mtu;
    let call = site.call("DEL", &json!({}));
    call.env("CNI_IFNAME", "eth0_x")
        .run(&site.bench.node)
        .assert_silent();
    assert_eq!(site.bench.node.read(&file), theirs.to_string());
    assert_eq!(site.pod.link("eth0_x").mtu, mtu);
    assert_eq!(site.link(), before);
}

#[test]
fn del_needs_no_directory_that_can_be() {
    let site = Site::new();
    for directory in ["/run/lab/a\0b", "/dev/null", "/proc/self/nothing"] {
        site.done("DEL", &json!({"dataDir": directory}));
    }
    site.bench.assert_clean();
}

/// As an ADD leaves it that is killed while it writes.
#[test]
fn del_removes_a_backup_that_was_never_finished() {
    let site = Site::new();
    let before = site.link();
    site.bench
        .node
        .write(format!("{BACKUPS}/.a_eth0.json"), "{\"mtu\": 14");
    site.done("DEL", &json!({}));
    assert_eq!(site.link(), before);
    site.bench.assert_clean();
}
