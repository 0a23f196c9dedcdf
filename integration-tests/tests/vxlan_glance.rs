// SPDX-License-Identifier: Apache-2.0
//! What one ADD of `vxlan` has found or made spares the next one its work, and never keeps it from
//! seeing what has changed.

use std::os::unix::fs::MetadataExt;
use std::thread;

use integration_tests::{LoneNode, Network};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use serde_json::{Value, json};

const STAMP: &str = "/run/podwire/vxlan.stamp";
const LIST: &str = "/run/lab/nodes.json";

/// The stamp that there is: another one after each look at everything.
fn stamp(site: &LoneNode) -> Option<u64> {
    let metadata = site.node.run(|| std::fs::metadata(STAMP));
    metadata.ok().map(|metadata| metadata.ino())
}

/// Replaces the list by one of so many peers, as people and programs do it: by rename.
fn list(site: &LoneNode, peers: u32) {
    write(site, &LoneNode::nodes(peers));
}

fn write(site: &LoneNode, nodes: &Value) {
    site.node.write("/run/lab/new", nodes.to_string());
    site.node.tool("mv", &format!("/run/lab/new {LIST}"));
}

/// Attaches pods until one finds all as the one before has left it: while the list is new, each
/// looks at everything.
fn settle(site: &LoneNode, network: &Network) -> u64 {
    let mut before = None;
    loop {
        site.add(network, &site.node.any_pod());
        match stamp(site) {
            Some(stamp) if before == Some(stamp) => return stamp,
            stamp => before = stamp,
        }
    }
}

fn by_file() -> Network {
    Network::of_lone_node(&json!({"nodesFile": LIST}))
}

/// Something is done to the overlay or its host; the next ADD makes it right.
fn heals(damage: impl FnOnce(&LoneNode)) {
    let site = LoneNode::new();
    list(&site, 20);
    let before = settle(&site, &by_file());
    let pod = site.node.any_pod();
    site.add(&by_file(), &pod);
    assert_eq!(stamp(&site), Some(before), "it looked at everything");
    assert_eq!(site.check(&by_file(), &pod), None);
    damage(&site);
    site.add(&by_file(), &site.node.any_pod());
    assert_ne!(stamp(&site), Some(before), "it did not see the damage");
    let pod = site.node.any_pod();
    site.add(&by_file(), &pod);
    assert_eq!(site.check(&by_file(), &pod), None);
}

#[test]
fn flushes_are_seen() {
    for command in [
        "ip route flush proto 118",
        "ip neigh flush dev podwire.1 nud permanent",
        "bridge fdb flush dev podwire.1",
        "nft flush ruleset",
        "nft delete table inet podwire-overlay",
        "nft flush set inet podwire-overlay vteps4",
        "nft flush chain inet podwire exempt",
        "ip address flush dev podwire.1",
    ] {
        let (program, arguments) = command.split_once(' ').unwrap();
        heals(|site| drop(site.node.tool(program, arguments)));
    }
}

#[test]
fn changes_of_the_device_are_seen() {
    for change in [
        "link delete podwire.1",
        "link set podwire.1 down",
        "link set podwire.1 mtu 1300",
        "link set podwire.1 address 02:00:00:00:00:99",
    ] {
        heals(|site| drop(site.node.ip(change)));
    }
}

#[test]
fn changes_of_the_host_are_seen() {
    for change in [
        "link set eth0 mtu 1400",
        // With direct routing it would be another way to some peers.
        "address add 198.51.100.1/24 dev eth0",
        // Pods behind another bridge must not reach the port either.
        "address add 10.200.0.99/32 dev lo-bridge",
    ] {
        heals(|site| {
            site.node.ip("link add lo-bridge type bridge");
            site.node.ip(change);
        });
    }
}

/// The families are looked at each for itself, also where most peers have but one.
#[test]
fn a_flush_of_either_family_is_seen() {
    let site = LoneNode::new();
    let mut nodes = LoneNode::nodes(40);
    let dual = json!({"name": "own", "underlay": ["192.0.2.2", "2001:db8::2"],
        "podCIDRs": ["10.200.0.0/24", "fd00:200::/64"]});
    let single = json!({"name": "six", "underlay": "2001:db8:9::6",
        "podCIDRs": ["fd00:200:0:6::/64"]});
    nodes[0] = dual;
    nodes[1] = single;
    let network = json!(["10.200.0.0/16", "fd00:200::/48"]);
    let network = Network::of_lone_node(&json!({"nodes": nodes, "network": network}));
    site.add(&network, &site.node.any_pod());
    for (family, count) in [("-4", 39), ("-6", 1)] {
        let before = stamp(&site);
        site.add(&network, &site.node.any_pod());
        assert_eq!(stamp(&site), before);
        site.node.ip(&format!("{family} route flush proto 118"));
        site.add(&network, &site.node.any_pod());
        assert_ne!(stamp(&site), before, "{family}");
        assert_eq!(site.routes(family), count);
    }
}

#[test]
fn a_list_that_changes_is_followed() {
    let site = LoneNode::new();
    list(&site, 3);
    settle(&site, &by_file());
    list(&site, 5);
    settle(&site, &by_file());
    assert_eq!(site.routes("-4"), 5);
    // In place, with the size that it had.
    let text = site.node.read(LIST).replace("198.18.0.5", "198.18.0.6");
    site.node.write(LIST, text);
    settle(&site, &by_file());
    let fdb = site.node.tool("bridge", "fdb show dev podwire.1");
    assert!(
        fdb.contains("198.18.0.6") && !fdb.contains("198.18.0.5"),
        "{fdb}"
    );
    list(&site, 2);
    settle(&site, &by_file());
    assert_eq!(site.routes("-4"), 2);
}

#[test]
fn a_renumbered_node_is_refused_until_its_entry_is() {
    let site = LoneNode::new();
    list(&site, 2);
    settle(&site, &by_file());
    site.node.ip("address delete 192.0.2.2/24 dev eth0");
    site.node.ip("address add 192.0.2.50/24 dev eth0");
    let pod = site.node.any_pod();
    let (code, text) = site.refused(&by_file(), &pod);
    assert!(code == 7 && text.contains("none of the 3 nodes"), "{text}");
    site.runner.del(&by_file(), &pod, "eth0").unwrap();
    let named = Network::of_lone_node(&json!({"nodesFile": LIST, "node": "own"}));
    let (code, text) = site.refused(&named, &pod);
    assert!(code == 11 && text.contains("192.0.2.2"), "{text}");
    site.runner.del(&named, &pod, "eth0").unwrap();
    let mut nodes = LoneNode::nodes(2);
    nodes[0]["underlay"] = json!("192.0.2.50");
    write(&site, &nodes);
    site.add(&by_file(), &pod);
    let device = site.node.ip("-details link show podwire.1");
    assert!(device.contains("local 192.0.2.50"), "{device}");
}

#[test]
fn a_stamp_of_an_earlier_boot_or_another_release_is_none() {
    let site = LoneNode::new();
    list(&site, 3);
    let before = settle(&site, &by_file());
    for (is, was) in [
        ("\"place\":\"", "\"place\":\"x"),
        ("\"fingerprint\":\"", "\"fingerprint\":\"x"),
    ] {
        // One octet of the value gives way, so that all the others stay where they are.
        let script = format!("s/{is}./{was}/");
        let edited = site
            .node
            .output(std::process::Command::new("sed").args(["-i", &script, STAMP]));
        assert!(edited.success(), "{edited}");
        let edited = stamp(&site);
        site.add(&by_file(), &site.node.any_pod());
        assert_ne!(stamp(&site), edited);
    }
    assert_ne!(stamp(&site), Some(before));
}

/// Rules are looked at after each change of any; that they were right is noted by ADD alone.
#[test]
fn somebody_elses_rules_are_an_occasion_to_look_at_ours() {
    let site = LoneNode::new();
    list(&site, 3);
    settle(&site, &by_file());
    let content = || site.node.run(|| std::fs::read(STAMP)).unwrap();
    site.add(&by_file(), &site.node.any_pod());
    let before = content();
    site.add(&by_file(), &site.node.any_pod());
    assert_eq!(content(), before);
    site.node.tool("nft", "add table ip stranger");
    assert_eq!(site.status(&by_file()), None);
    assert_eq!(content(), before);
    site.add(&by_file(), &site.node.any_pod());
    let after = content();
    assert_ne!(after[8..16], before[8..16]);
    assert_eq!(after[16..], before[16..]);
}

#[test]
fn garbage_for_a_stamp_is_none() {
    let site = LoneNode::new();
    list(&site, 3);
    let whole = site.node.run(|| std::fs::read(STAMP));
    assert!(whole.is_err());
    for garbage in [&b""[..], b"{}", &[0xff; 100], &[0; 100]] {
        site.node.write(STAMP, garbage);
        site.node.ip("route flush proto 118");
        site.add(&by_file(), &site.node.any_pod());
        assert_eq!(site.routes("-4"), 3);
    }
}

#[test]
fn many_at_once_program_once() {
    let site = LoneNode::new();
    list(&site, 4000);
    let attach = |_| site.runner.attach(&by_file().first_plugin(), &site.node);
    let pods: Vec<_> = (0..30).map(attach).collect();
    site.node.write("/run/podwire/some", "");
    let stamps = site.node.run(|| {
        let watch = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
        // Both halves of a rename, as the kernel tells of equal events in a row only once.
        let renamed = AddWatchFlags::IN_MOVED_FROM | AddWatchFlags::IN_MOVED_TO;
        watch.add_watch("/run/podwire", renamed).unwrap();
        watch
    });
    thread::scope(|scope| {
        for pod in &pods {
            let call = site.vxlan(&site.runner, &by_file(), pod);
            let node = &site.node;
            scope.spawn(move || call.run(node).result());
        }
    });
    assert_eq!(site.routes("-4"), 4000);
    assert_eq!(stamps.read_events().unwrap().len(), 2);
}
