// SPDX-License-Identifier: Apache-2.0
//! The overlay's rules beside those of networks.

use std::net::UdpSocket;

use dataplane::{Guard, Surroundings, Underlay};
use nft::masquerade::{self, Masquerade};
use nft::{Family, Monitor, Nft, Table};
use topology::{Cluster, Settings};

use crate::lab::{Host, Lab, entries, entry, network, send, settings};

const NETWORKS: Table<'static> = Table {
    family: Family::Inet,
    name: "podwire",
};
const OVERLAY: Table<'static> = Table {
    family: Family::Inet,
    name: "podwire-overlay",
};

fn bridges() -> Vec<String> {
    vec!["cni0".to_owned()]
}

/// A network that is called like the owner of the overlay's exemption.
fn masqueraded(addresses: &[ipnetwork::IpNetwork]) -> Masquerade<'_> {
    Masquerade {
        network: "overlay",
        owner: "veth1",
        addresses,
        exempt: &[],
    }
}

fn with_guard<T>(
    lab: &Lab,
    settings: &Settings,
    act: impl FnOnce(&Host, Guard<'_>, &dyn Fn(u32) -> Cluster) -> T,
) -> T {
    let host = &lab.nodes[0];
    let mut nft = host.inside(Nft::open).unwrap();
    let cluster = |count| host.cluster(&entries(count, "46"), settings);
    let guard = Guard {
        nft: &mut nft,
        settings,
    };
    act(host, guard, &cluster)
}

#[test]
fn it_is_made_once_and_goes_without_a_networks_masquerade() {
    with_guard(&Lab::new(1), &settings(""), |host, mut guard, cluster| {
        let addresses = [network("10.100.1.5/24")];
        let own = masqueraded(&addresses);
        masquerade::ensure(guard.nft, &own).unwrap();
        let before = guard.nft.rules(NETWORKS, None).unwrap().len();
        let cluster = cluster(3);
        let lacks = guard.missing(&cluster, &bridges()).unwrap();
        assert!(
            lacks.iter().any(|it| it.contains("10.0.0.0/8")),
            "{lacks:?}"
        );
        assert!(
            lacks.iter().any(|it| it.contains("192.0.2.2 and 1 more")),
            "{lacks:?}"
        );
        assert!(!guard.holds(&cluster, &bridges()).unwrap());
        guard.ensure(&cluster, &bridges()).unwrap();
        assert_eq!(guard.missing(&cluster, &bridges()).unwrap(), [""; 0]);
        assert!(guard.holds(&cluster, &bridges()).unwrap());
        assert!(!guard.holds(&cluster, &[]).unwrap());
        masquerade::unshare(guard.nft, "overlay").unwrap();
        assert!(!guard.holds(&cluster, &bridges()).unwrap());
        guard.ensure(&cluster, &bridges()).unwrap();
        let mut monitor = host.inside(Monitor::open).unwrap();
        guard.ensure(&cluster, &bridges()).unwrap();
        assert!(!monitor.drain().unwrap());
        guard.remove().unwrap();
        assert_eq!(masquerade::missing(guard.nft, &own).unwrap(), [""; 0]);
        assert_eq!(guard.nft.rules(NETWORKS, None).unwrap().len(), before);
        assert!(!guard.nft.has_table(OVERLAY).unwrap());
        guard.remove().unwrap();
    });
}

#[test]
fn nothing_stays_where_no_network_is() {
    with_guard(&Lab::new(1), &settings(""), |_, mut guard, cluster| {
        guard.ensure(&cluster(2), &[]).unwrap();
        guard.remove().unwrap();
        assert!(!guard.nft.has_table(NETWORKS).unwrap());
        assert!(!guard.nft.has_table(OVERLAY).unwrap());
    });
}

#[test]
fn peers_that_come_and_go_are_followed() {
    with_guard(&Lab::new(1), &settings(""), |host, mut guard, cluster| {
        let mut before = cluster(3);
        guard.ensure(&before, &bridges()).unwrap();
        let mut swapped = entries(3, "46");
        swapped[1].underlay = entry(3, "46").underlay;
        swapped[2].underlay = entry(9, "46").underlay;
        let own_settings = settings("");
        for after in [
            cluster(5),
            cluster(2),
            cluster(3),
            // An address that goes from one peer to another.
            host.cluster(&swapped, &own_settings),
            // A family, and another network.
            host.cluster(&entries(3, "4"), &own_settings),
            host.cluster(&entries(3, "46"), &own_settings),
        ] {
            guard.follow(&before, &after, &bridges()).unwrap();
            assert_eq!(guard.missing(&after, &bridges()).unwrap(), [""; 0]);
            before = after;
        }
        let narrow: Settings =
            serde_json::from_str(r#"{"network": ["10.100.0.0/16", "fd00::/32"]}"#).unwrap();
        let after = host.cluster(&entries(3, "46"), &narrow);
        guard.follow(&before, &after, &bridges()).unwrap();
        assert_eq!(guard.missing(&after, &bridges()).unwrap(), [""; 0]);
        let mut flushed = nft::Batch::new();
        flushed.delete_table(OVERLAY);
        guard.nft.commit(&flushed).unwrap();
        let more = host.cluster(&entries(4, "46"), &narrow);
        guard.follow(&after, &more, &bridges()).unwrap();
        assert_eq!(guard.missing(&more, &bridges()).unwrap(), [""; 0]);
    });
}

/// What was shared under a former configuration goes.
#[test]
fn a_former_network_is_no_longer_exempt() {
    let wide = settings("");
    with_guard(&Lab::new(1), &wide, |host, mut guard, cluster| {
        guard.ensure(&cluster(2), &[]).unwrap();
        let narrow: Settings =
            serde_json::from_str(r#"{"network": ["10.100.0.0/16", "fd00::/32"]}"#).unwrap();
        let narrow = host.cluster(&entries(2, "46"), &narrow);
        let lacks = guard.missing(&narrow, &[]).unwrap();
        assert!(
            lacks
                .iter()
                .any(|it| it.contains("does not share any more")),
            "{lacks:?}"
        );
        guard.ensure(&narrow, &[]).unwrap();
        assert_eq!(guard.missing(&narrow, &[]).unwrap(), [""; 0]);
    });
}

#[test]
fn bridges_and_underlays_are_found_in_the_kernel() {
    let (lab, nodes, settings) = (Lab::new(1), entries(2, "46"), settings(""));
    let host = &lab.nodes[0];
    lab.program(&nodes, &settings);
    let cluster = host.cluster(&nodes, &settings);
    let look = || host.dataplane(&settings).surroundings(&cluster).unwrap();
    let before = look();
    assert_eq!(before.bridges, [""; 0]);
    for command in [
        "link add cni0 type bridge",
        "addr add 10.100.1.1/24 dev cni0",
        "link add br6 type bridge",
        "addr add fd00:0:0:1::1/64 dev br6 nodad",
        "link add other type bridge",
        "addr add 10.100.2.1/24 dev other",
        // On the underlay's link it would cut the peers off.
        "addr add 10.100.1.77/32 dev eth0",
    ] {
        host.ip(command);
    }
    let after = look();
    assert_eq!(after.bridges, ["br6", "cni0"]);
    assert_ne!(before, after);
    let below = host.device("eth0").index;
    let summary = |it: &Underlay| (it.name.clone(), it.index, it.mtu, it.up);
    let underlays: Vec<_> = after.underlays.iter().map(summary).collect();
    let eth0 = ("eth0".to_owned(), below, 1500, true);
    assert_eq!(underlays, [eth0.clone(), eth0]);
    assert_eq!(after.underlays[1].subnets, [network("2001:db8::/64")]);
    // As when a private address gives way to the next.
    host.ip("addr add 2001:db8::7777/64 dev eth0 nodad");
    assert_eq!(look(), after);
    host.ip("link set eth0 mtu 1300");
    host.ip("addr del 192.0.2.1/24 dev eth0");
    let Surroundings {
        underlays, lacking, ..
    } = look();
    assert_eq!(underlays, []);
    assert_eq!(
        lacking,
        [
            "no link of this node has its IPv4 underlay address 192.0.2.1",
            "the underlay's MTU 1300 is too small for an IPv6 overlay, which needs 1350",
        ]
    );
}

/// A pod elsewhere claims a peer's underlay address towards an address of this node that the
/// overlay leads to: what it wraps does not come from a peer.
#[test]
fn what_comes_by_the_overlay_is_not_unwrapped_again() {
    let (lab, nodes, settings) = (Lab::new(2), entries(3, "46"), settings(""));
    lab.program(&nodes, &settings);
    let (host, other) = (&lab.nodes[0], &lab.nodes[1]);
    let mut nft = host.inside(Nft::open).unwrap();
    let mut guard = Guard {
        nft: &mut nft,
        settings: &settings,
    };
    guard.ensure(&host.cluster(&nodes, &settings), &[]).unwrap();
    for (claimed, towards) in [
        ("192.0.2.3/32", "10.100.1.0:8472"),
        ("2001:db8::3/128", "[fd00:0:0:1::]:8472"),
    ] {
        other.ip(&format!("addr add {claimed} dev lo"));
        let dropped = guard.dropped().unwrap().pods;
        let claimed = network(claimed).ip();
        if claimed.is_ipv6() {
            other.wait_for(&claimed.to_string());
        }
        let socket = other.inside(|| UdpSocket::bind((claimed, 0)).unwrap());
        socket.send_to(b"wrapped", towards).unwrap();
        // On the same way, behind it.
        let family = if claimed.is_ipv4() { '4' } else { '6' };
        assert!(send(&lab, 2, 1, family, 100).is_some());
        assert!(guard.dropped().unwrap().pods > dropped, "{towards}");
    }
}
