// SPDX-License-Identifier: Apache-2.0
//! What others made: it stays, and is reported where it is in the way.

use super::*;

fn static_route(dst: &str, gateway: Option<&str>, link: u32, metric: u32) -> HeldRoute {
    HeldRoute {
        dst: dst.parse().unwrap(),
        gateway: gateway.map(address),
        link: Some(link),
        onlink: false,
        metric,
        protocol: 4,
    }
}

#[test]
fn what_is_not_for_peers_stays() {
    let held = Held {
        routes: vec![
            static_route("10.200.2.0/25", Some("192.0.2.9"), UPLINK, 0),
            static_route("192.0.2.0/24", None, UPLINK, 0),
            // Another overlay of this host.
            HeldRoute {
                protocol: PROTOCOL,
                ..static_route("10.99.2.0/24", Some("10.99.2.0"), 8, 5)
            },
        ],
        neighbours: vec![
            HeldNeighbour {
                address: address("10.200.9.0"),
                mac: Some(Mac([2, 0, 0, 0, 0, 9])),
                permanent: false,
            },
            HeldNeighbour {
                address: address("fe80::1"),
                mac: Some(Mac([2, 0, 0, 0, 0, 9])),
                permanent: true,
            },
        ],
        fdb: ["00:00:00:00:00:00", "33:33:00:00:00:01"]
            .map(|mac| HeldFdbEntry {
                mac: mac.parse().unwrap(),
                dst: Some(address("192.0.2.9")),
                permanent: true,
            })
            .to_vec(),
    };
    assert_eq!(
        difference(&wish(&[node("own", 1)]), &held),
        Change::default()
    );
}

/// Reference pain 6: another node had our pod CIDR, and its route is still there.
#[test]
fn a_foreign_route_to_the_own_pod_cidr_is_reported() {
    let wish = wish(&three());
    let mut held = done(&wish);
    let bridge = static_route("10.200.1.0/24", None, 3, 0);
    let away = static_route("10.200.1.0/24", Some("10.200.1.0"), 5, 0);
    held.routes.extend([bridge, away]);
    let change = difference(&wish, &held);
    assert!(change.is_empty());
    assert_eq!(
        change.foreign[0].to_string(),
        "another program's route 10.200.1.0/24 via 10.200.1.0 link 5 metric 0 proto 4 leads \
         packets to this node's own pods away"
    );
    assert_eq!(change.foreign.len(), 1);
}

#[test]
fn foreign_routes_to_peers_are_reported() {
    let overlay = overlay(&three(), Family::V6);
    let wish = overlay.wish(DEVICE, &[]);
    let mut held = done(&wish);
    held.routes.clear();
    let gateway = Some("2001:db8::9");
    let place = static_route("fd00:0:0:2::/64", gateway, UPLINK, 1024);
    let first = static_route("fd00:0:0:3::/64", gateway, UPLINK, 100);
    let later = static_route("fd00:0:0:3::/64", gateway, UPLINK, 2000);
    held.routes.extend([place, first, later]);
    let change = difference(&wish, &held);
    let foreign = |route, obstacle| Foreign { route, obstacle };
    assert_eq!(
        change.foreign,
        [
            foreign(place, Obstacle::InPlace),
            foreign(first, Obstacle::Preferred),
        ]
    );
    assert_eq!(change.set, [Op::AddRoute(wish.routes[1])]);
    assert!(change.remove.is_empty());
}

/// Routes that flannel made lead through our device only after a take-over.
#[test]
fn a_takeover_puts_our_routes_in_the_place_of_flannels() {
    let flannels = |dst: &str, metric| HeldRoute {
        onlink: true,
        protocol: 3,
        ..static_route(dst, Some(dst.split('/').next().unwrap()), DEVICE, metric)
    };
    let old = flannels("10.200.2.0/24", 0);
    let stale = flannels("10.200.9.0/24", 0);
    let mut held = done(&wish(&[node("own", 1), node("b", 2)]));
    held.routes = vec![old, stale];
    let wish = wish(&[node("own", 1), node("b", 2)]);
    let change = difference(&wish, &held);
    assert_eq!(change.set, [Op::AddRoute(wish.routes[0])]);
    assert!(change.remove.is_empty());
    assert_eq!(change.foreign[0].obstacle, Obstacle::Preferred);
    let change = difference(&wish.taking_over(), &held);
    assert_eq!(change.set.len(), 1);
    assert_eq!(
        change.remove,
        [Op::DeleteRoute(old), Op::DeleteRoute(stale)]
    );
    assert!(change.foreign.is_empty());

    let v6 = overlay(&[node("own", 1), node("b", 2)], Family::V6).wish(DEVICE, &[]);
    let mut held = done(&v6);
    held.routes[0].protocol = 3;
    let change = difference(&v6.clone().taking_over(), &held);
    assert_eq!(change.set, [Op::ReplaceRoute(v6.routes[0])]);
    assert!(change.remove.is_empty());
}
