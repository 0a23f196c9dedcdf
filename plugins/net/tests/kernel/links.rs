// SPDX-License-Identifier: Apache-2.0
//! Links of any kind: described, changed, deleted.

use std::fs;

use net::{Counters, Inet, Kind, Link, LinkChange, Mac, sysctl};

use crate::{bridge, find, in_namespace, mac, pair};

#[test]
fn a_link_is_changed_in_everything_that_can_change() {
    in_namespace(|host| {
        host.create_veth(&pair("veth1", "eth0")).unwrap();
        let before = find(host, "veth1");
        assert_eq!(
            (before.up, before.promisc, before.alias.as_deref()),
            (false, false, None)
        );
        let change = LinkChange {
            up: Some(true),
            mtu: Some(1280),
            mac: Some(mac(9)),
            promisc: Some(true),
            allmulti: Some(true),
            tx_queue_len: Some(77),
            alias: Some("renamed"),
            ..LinkChange::default()
        };
        host.change_link(before.index, &change).unwrap();
        let after = find(host, "veth1");
        let changed = Link {
            up: true,
            mtu: 1280,
            mac: mac(9),
            promisc: true,
            allmulti: true,
            tx_queue_len: 77,
            alias: Some("renamed".to_owned()),
            ..before
        };
        assert_eq!(after, changed);

        let back = LinkChange {
            up: Some(false),
            promisc: Some(false),
            allmulti: Some(false),
            tx_queue_len: Some(0),
            alias: Some(""),
            ..LinkChange::default()
        };
        host.change_link(after.index, &back).unwrap();
        let end = find(host, "veth1");
        assert_eq!((end.up, end.promisc, end.alias), (false, false, None));
        assert_eq!((end.allmulti, end.tx_queue_len), (false, 0));
        assert_eq!((end.mtu, end.mac), (1280, mac(9)));
    });
}

/// What one way sets, the other one shows.
#[test]
fn ipv4_settings_are_those_below_proc_sys() {
    in_namespace(|host| {
        host.create_veth(&pair("veth1", "eth0")).unwrap();
        let index = find(host, "veth1").index;
        let [forwarding, rp_filter] =
            ["forwarding", "rp_filter"].map(|name| format!("net/ipv4/conf/veth1/{name}"));
        sysctl::ensure(&forwarding, "1").unwrap();
        sysctl::ensure(&rp_filter, "1").unwrap();
        let is = Inet {
            forwarding: true,
            rp_filter: 1,
        };
        assert_eq!(find(host, "veth1").inet, Some(is));
        let change = LinkChange {
            forwarding: Some(false),
            rp_filter: Some(2),
            ..LinkChange::default()
        };
        host.change_link(index, &change).unwrap();
        assert_eq!(sysctl::read(&forwarding).unwrap(), "0");
        assert_eq!(sysctl::read(&rp_filter).unwrap(), "2");
        let one = LinkChange {
            rp_filter: Some(0),
            ..LinkChange::default()
        };
        host.change_link(index, &one).unwrap();
        let is = Inet {
            forwarding: false,
            rp_filter: 0,
        };
        assert_eq!(find(host, "veth1").inet, Some(is));
    });
}

#[test]
fn counters_are_those_below_proc_net() {
    in_namespace(|host| {
        let up = LinkChange {
            up: Some(true),
            ..LinkChange::default()
        };
        host.change_link(1, &up).unwrap();
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = socket.local_addr().unwrap();
        for _ in 0..3 {
            socket.send_to(&[0; 100], to).unwrap();
        }
        let counted = host.counters("lo").unwrap().unwrap();
        let expected = Counters {
            rx_packets: 3,
            tx_packets: 3,
            rx_bytes: 3 * 128,
            tx_bytes: 3 * 128,
            ..Counters::default()
        };
        assert_eq!(counted, expected);
        let table = fs::read_to_string("/proc/thread-self/net/dev").unwrap();
        assert!(table.contains("lo:     384       3"), "{table}");
        assert_eq!(host.counters("none").unwrap(), None);
    });
}

#[test]
fn deleting_one_end_deletes_both_and_twice_is_recognised() {
    in_namespace(|host| {
        host.create_veth(&pair("veth1", "eth0")).unwrap();
        let index = find(host, "veth1").index;
        host.delete_link(index).unwrap();
        assert_eq!(host.link("eth0").unwrap(), None);
        assert_eq!(host.link_at(index).unwrap(), None);
        let error = host.delete_link(index).unwrap_err();
        assert!(error.is_not_found(), "{error}");
        assert_eq!(
            error.to_string(),
            format!("cannot delete the link with index {index}: No such device")
        );
    });
}

#[test]
fn the_text_of_a_refusal_is_the_kernels_own() {
    in_namespace(|host| {
        host.create_veth(&pair("veth1", "eth0")).unwrap();
        let tiny = LinkChange {
            mtu: Some(1),
            ..LinkChange::default()
        };
        let error = host
            .change_link(find(host, "veth1").index, &tiny)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot change the link \"veth1\": Invalid argument (mtu less than device minimum)"
        );
    });
}

#[test]
fn lo_is_described_as_it_is() {
    in_namespace(|host| {
        let lo = find(host, "lo");
        assert_eq!((lo.index, lo.mtu, lo.mac), (1, 65536, Mac::default()));
        assert!(lo.loopback && !lo.up && !lo.running);
        assert_eq!((lo.kind, lo.master, lo.peer), (Kind::Physical, None, None));
    });
}

#[test]
fn a_name_that_cannot_be_one_is_refused() {
    in_namespace(|host| {
        assert!(host.link("a-name-of-more-than-15").is_err());
        let error = host
            .create_bridge(&bridge("a-name-of-more-than-15"))
            .unwrap_err();
        assert!(
            error.to_string().contains("a-name-of-more-than-15"),
            "{error}"
        );
        assert!(!error.is_exists());
    });
}
