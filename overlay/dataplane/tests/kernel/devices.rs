// SPDX-License-Identifier: Apache-2.0
//! Devices that are somebody else's, and those that are taken over.

use std::fs;
use std::net::UdpSocket;
use std::thread;

use dataplane::{Dataplane, Error, Origin};
use net::Kind;

use crate::lab::{Lab, assert_cross, entries, entry, settings};

#[test]
fn the_device_is_made_as_flannels_but_for_the_checksum() {
    let (lab, nodes, settings) = (Lab::new(1), entries(1, "46"), settings(""));
    lab.program(&nodes, &settings);
    let host = &lab.nodes[0];
    let below = host.device("eth0").index;
    for (name, checksum, mtu) in [("podwire.1", false, 1450), ("podwire-v6.1", true, 1430)] {
        let link = host.device(name);
        let Kind::Vxlan(vxlan) = link.kind else {
            panic!("{link:?}")
        };
        assert_eq!((vxlan.vni, vxlan.port, link.mtu), (1, 8472, mtu));
        assert_eq!((vxlan.learning, vxlan.udp_checksum), (false, checksum));
        assert_eq!(vxlan.device, Some(below));
    }
}

#[test]
fn a_port_clash_names_the_device() {
    let (lab, nodes, settings) = (Lab::new(1), entries(2, "4"), settings(""));
    let host = &lab.nodes[0];
    host.ip("link add cilium_vxlan type vxlan external dstport 8472");
    host.ip("link set cilium_vxlan up");
    let report = host.reconcile(&nodes, &settings);
    let text = report.errors[0].to_string();
    assert_eq!(report.errors.len(), 1, "{:?}", report.errors);
    assert!(text.contains("\"cilium_vxlan\""), "{text}");
    assert!(host.rtnl.link("podwire.1").unwrap().is_none());
    host.ip("link del cilium_vxlan");
    lab.program(&nodes, &settings);
}

#[test]
fn a_port_clash_names_a_socket() {
    let (lab, nodes, settings) = (Lab::new(1), entries(2, "4"), settings(""));
    let host = &lab.nodes[0];
    lab.program(&nodes, &settings);
    host.ip("link set podwire.1 down");
    let socket = host.inside(|| UdpSocket::bind("0.0.0.0:8472")).unwrap();
    let report = host.reconcile(&nodes, &settings);
    let taken = |error: &Error| matches!(error, Error::PortTaken { port: 8472, culprit, .. } if culprit == "the socket of another program");
    assert!(taken(&report.errors[0].error), "{:?}", report.errors);
    drop(socket);
    // A program that another test is just starting has a copy of the socket until its exec.
    while host.inside(|| {
        fs::read_to_string("/proc/thread-self/net/udp")
            .unwrap()
            .contains(":2118 ")
    }) {
        thread::yield_now();
    }
    lab.program(&nodes, &settings);
}

/// flannel's device has the VNI, too: the kernel takes no second one.
#[test]
fn another_device_with_the_vni_is_named() {
    let (lab, nodes, settings) = (Lab::new(1), entries(2, "4"), settings(""));
    let host = &lab.nodes[0];
    host.ip("link add flannel.1 type vxlan id 1 dstport 8472 local 192.0.2.1 dev eth0 nolearning");
    let report = host.reconcile(&nodes, &settings);
    let texts: Vec<_> = report.errors.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts[0].contains("\"flannel.1\" (VNI 1)"), "{texts:?}");
}

#[test]
fn a_link_of_that_name_that_is_no_vxlan_stays() {
    let (lab, nodes, settings) = (Lab::new(1), entries(2, "4"), settings(""));
    let host = &lab.nodes[0];
    host.ip("link add podwire.1 type bridge");
    for report in [
        host.reconcile(&nodes, &settings),
        host.audit(&nodes, &settings),
    ] {
        let text = report.errors[0].to_string();
        assert!(text.contains("is no VXLAN device"), "{text}");
    }
    let removed = host.inside(|| host.dataplane(&settings).remove());
    assert!(removed.is_clean(), "{removed:?}");
    assert!(matches!(host.device("podwire.1").kind, Kind::Bridge { .. }));
}

/// flannel's device, peers and address on one node; the other node is ours. The device stays, and
/// flannel's routes, which all have the metric 0, become ours.
#[test]
fn flannels_device_is_taken_over() {
    let (lab, settings) = (Lab::new(2), settings(""));
    let mut nodes = entries(2, "4");
    let mac = "02:00:00:00:f1:01";
    nodes[0].mac = Some(mac.parse().unwrap());
    let other = lab.nodes[1].reconcile(&nodes, &settings);
    assert!(other.errors.is_empty(), "{:?}", other.errors);
    let host = &lab.nodes[0];
    let peer = entry(2, "4").mac(topology::Family::V4);
    for command in [
        "link add flannel.1 address MAC type vxlan id 1 dstport 8472 local 192.0.2.1 dev eth0 nolearning",
        "addr add 10.100.1.0/32 dev flannel.1",
        "link set flannel.1 up",
        "neigh add 10.100.2.0 lladdr PEER dev flannel.1 nud permanent",
        "route add 10.100.2.0/24 via 10.100.2.0 dev flannel.1 onlink",
        "route add 10.100.3.0/24 via 10.100.3.0 dev flannel.1 onlink",
    ] {
        host.ip(&command
            .replace("MAC", mac)
            .replace("PEER", &peer.to_string()));
    }
    host.run(
        "bridge",
        &format!("fdb add {peer} dev flannel.1 dst 192.0.2.2"),
    );
    assert_cross(&lab, 1, 2, "4");
    let before = host.device("flannel.1");
    let dataplane = Dataplane {
        origin: Origin::Flannel,
        ..host.dataplane(&settings)
    };
    let cluster = host.cluster(&nodes, &settings);
    let report = host.inside(|| dataplane.reconcile(&cluster));
    assert!(report.errors.is_empty(), "{report:?}");
    assert_eq!(host.device("flannel.1").index, before.index);
    assert_eq!(host.device("flannel.1").mac, before.mac);
    assert_cross(&lab, 1, 2, "4");
    let routes = host.ip("-4 route show dev flannel.1");
    assert_eq!(routes.lines().count(), 1, "{routes}");
    assert!(routes.contains("proto 118"), "{routes}");
    let again = host.inside(|| dataplane.reconcile(&cluster));
    assert!(again.is_clean(), "{again:?}");
    let removed = host.inside(|| dataplane.remove());
    assert!(removed.errors.is_empty(), "{removed:?}");
    assert!(host.rtnl.link("flannel.1").unwrap().is_none());
}

#[test]
fn a_configured_mtu_is_the_underlays() {
    let (lab, nodes) = (Lab::new(1), entries(1, "46"));
    lab.program(&nodes, &settings(r#", "mtu": 1400"#));
    let host = &lab.nodes[0];
    assert_eq!(host.device("podwire.1").mtu, 1350);
    assert_eq!(host.device("podwire-v6.1").mtu, 1330);
}
