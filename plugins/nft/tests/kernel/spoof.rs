// SPDX-License-Identifier: Apache-2.0
//! The source-MAC check: frames that pass the bridge, and what is kept for it.

use nft::{Batch, Family, Nft, Table, spoof};

use crate::lab::{Ns, isolated};

const BRIDGE: Table<'static> = Table {
    family: Family::Bridge,
    name: "podwire",
};
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const FORGED: [u8; 6] = [2, 0, 0, 0, 0, 0x66];

/// Two pods on a bridge; the first one's MAC is `MAC`.
fn site() -> (Ns, [Ns; 2]) {
    let (node, pods) = (Ns::new(), [Ns::new(), Ns::new()]);
    node.connect("veth1", &pods[0], "eth0");
    node.connect("veth2", &pods[1], "eth0");
    node.bridge("cni0", &["veth1", "veth2"]);
    pods[0].set_mac("eth0", MAC);
    pods[0].address("eth0", "10.1.0.1/24");
    pods[1].address("eth0", "10.1.0.2/24");
    (node, pods)
}

fn key(port: &str) -> Vec<u8> {
    let mut key = port.as_bytes().to_vec();
    key.resize(16, 0);
    key
}

fn elements(nft: &mut Nft, set: &str) -> usize {
    nft.elements(BRIDGE, set).unwrap().len()
}

#[test]
fn a_guarded_port_passes_its_own_mac_only() {
    let (node, [pod, peer]) = site();
    let server = peer.socket("10.1.0.2");
    let mut nft = node.nft();
    spoof::guard(&mut nft, "podnet", "veth1", MAC).unwrap();
    assert!(pod.seen_by("10.1.0.1", &server).is_some());
    pod.set_mac("eth0", FORGED);
    assert!(!pod.reaches("10.1.0.1", &server));
    spoof::release(&mut nft, "veth1").unwrap();
    assert!(pod.seen_by("10.1.0.1", &server).is_some());
}

#[test]
fn each_port_is_guarded_for_itself() {
    let (node, [pod, peer]) = site();
    let server = peer.socket("10.1.0.2");
    let mut nft = node.nft();
    spoof::guard(&mut nft, "podnet", "veth1", MAC).unwrap();
    spoof::guard(&mut nft, "podnet", "veth3", FORGED).unwrap();
    assert!(pod.seen_by("10.1.0.1", &server).is_some());
    // Allowed at the other port only.
    pod.set_mac("eth0", FORGED);
    assert!(!pod.reaches("10.1.0.1", &server));
    pod.set_mac("eth0", MAC);
    assert!(pod.seen_by("10.1.0.1", &server).is_some());
}

#[test]
fn a_guard_comes_and_goes_any_number_of_times() {
    let mut nft = isolated();
    spoof::release(&mut nft, "veth1").unwrap();
    assert_eq!(
        spoof::missing(&mut nft, "podnet", "veth1", MAC)
            .unwrap()
            .len(),
        3
    );
    for _ in 0..2 {
        spoof::guard(&mut nft, "podnet", "veth1", MAC).unwrap();
        assert_eq!(
            spoof::missing(&mut nft, "podnet", "veth1", MAC).unwrap(),
            [""; 0]
        );
        assert_eq!(
            (elements(&mut nft, "guarded"), elements(&mut nft, "sources")),
            (1, 1)
        );
    }
    for _ in 0..2 {
        spoof::release(&mut nft, "veth1").unwrap();
        assert_eq!(
            (elements(&mut nft, "guarded"), elements(&mut nft, "sources")),
            (0, 0)
        );
    }
}

#[test]
fn a_guard_with_another_mac_replaces_the_first() {
    let mut nft = isolated();
    spoof::guard(&mut nft, "podnet", "veth1", MAC).unwrap();
    spoof::guard(&mut nft, "podnet", "veth1", FORGED).unwrap();
    assert_eq!(
        spoof::missing(&mut nft, "podnet", "veth1", FORGED).unwrap(),
        [""; 0]
    );
    let lacks = spoof::missing(&mut nft, "podnet", "veth1", MAC).unwrap();
    let sentence =
        "set sources of table bridge podwire does not allow 02:00:00:00:00:01 at port veth1";
    assert_eq!(lacks, [sentence]);
    assert_eq!(
        (elements(&mut nft, "guarded"), elements(&mut nft, "sources")),
        (1, 1)
    );
}

#[test]
fn a_source_that_was_left_behind_is_no_obstacle() {
    let mut nft = isolated();
    spoof::guard(&mut nft, "podnet", "veth1", MAC).unwrap();
    let mut batch = Batch::new();
    batch.delete_element(BRIDGE, "guarded", &key("veth1"));
    nft.commit(&batch).unwrap();
    for mac in [FORGED, MAC] {
        spoof::guard(&mut nft, "podnet", "veth1", mac).unwrap();
        assert_eq!(
            spoof::missing(&mut nft, "podnet", "veth1", mac).unwrap(),
            [""; 0]
        );
    }
    assert_eq!(
        (elements(&mut nft, "guarded"), elements(&mut nft, "sources")),
        (1, 1)
    );
}

#[test]
fn gc_takes_the_networks_invalid_ports_and_with_the_last_one_the_table() {
    let mut nft = isolated();
    spoof::collect(&mut nft, "podnet", &[]).unwrap();
    for (network, port) in [("podnet", "veth1"), ("podnet", "veth2"), ("other", "veth3")] {
        spoof::guard(&mut nft, network, port, MAC).unwrap();
    }
    spoof::collect(&mut nft, "podnet", &["veth2".to_owned()]).unwrap();
    assert_eq!(
        (elements(&mut nft, "guarded"), elements(&mut nft, "sources")),
        (2, 2)
    );
    spoof::collect(&mut nft, "podnet", &[]).unwrap();
    assert_eq!(
        spoof::missing(&mut nft, "other", "veth3", MAC).unwrap(),
        [""; 0]
    );
    spoof::collect(&mut nft, "other", &[]).unwrap();
    assert!(!nft.has_table(BRIDGE).unwrap());
}

#[test]
fn whatever_others_removed_is_told_and_made_again() {
    type Damage = fn(&mut Batch);
    let damages: [Damage; 2] = [
        |batch| batch.flush_chain(BRIDGE, "prerouting"),
        |batch| batch.delete_element(BRIDGE, "guarded", &key("veth1")),
    ];
    for damage in damages {
        let mut nft = isolated();
        spoof::guard(&mut nft, "podnet", "veth1", MAC).unwrap();
        let mut batch = Batch::new();
        damage(&mut batch);
        nft.commit(&batch).unwrap();
        assert_eq!(
            spoof::missing(&mut nft, "podnet", "veth1", MAC)
                .unwrap()
                .len(),
            1
        );
        spoof::guard(&mut nft, "podnet", "veth1", MAC).unwrap();
        assert_eq!(
            spoof::missing(&mut nft, "podnet", "veth1", MAC).unwrap(),
            [""; 0]
        );
    }
}

#[test]
fn fifty_ports_at_once_are_guarded_by_one_rule() {
    let node = Ns::new();
    std::thread::scope(|scope| {
        for i in 0..50 {
            let mut nft = node.nft();
            let mut guard = move || spoof::guard(&mut nft, "podnet", &format!("veth{i}"), MAC);
            scope.spawn(move || guard().unwrap());
        }
    });
    let mut nft = node.nft();
    assert_eq!(
        (elements(&mut nft, "guarded"), elements(&mut nft, "sources")),
        (50, 50)
    );
    assert_eq!(nft.rules(BRIDGE, None).unwrap().len(), 1);
}
