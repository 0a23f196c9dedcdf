// SPDX-License-Identifier: Apache-2.0
//! VXLAN devices: made, compared with those of `ip`, changed in place, refused.

use std::net::UdpSocket;
use std::process::Command;

use net::{Kind, Link, LinkChange, NewVxlan, Rtnl, Vxlan, VxlanChange};
use nix::errno::Errno;

use crate::peers::{Held, held, peer};
use crate::{find, in_namespace, ip, mac, network, running_pair};

/// A device as flannel makes it, but for the index of the link below.
pub(crate) fn vxlan<'a>(name: &'a str, local: &str, device: u32) -> NewVxlan<'a> {
    NewVxlan {
        name,
        vni: 1,
        port: 8472,
        local: ip(local),
        device: Some(device),
        mac: mac(0x51),
        mtu: None,
        udp_checksum: !local.contains('.'),
        up: true,
    }
}

/// A link with an underlay address of each family, and its index.
pub(crate) fn underlay(rtnl: &Rtnl) -> u32 {
    let (left, _) = running_pair(rtnl);
    for address in ["192.0.2.1/24", "2001:db8::1/64"] {
        rtnl.add_address(left.index, network(address), true)
            .unwrap();
    }
    left.index
}

fn settings(link: &Link) -> Vxlan {
    match link.kind {
        Kind::Vxlan(vxlan) => vxlan,
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn a_device_is_complete_after_one_request() {
    in_namespace(|host| {
        let below = underlay(host);
        for (name, local, mtu) in [("four", "192.0.2.1", 1450), ("six", "2001:db8::1", 1430)] {
            let new = NewVxlan {
                mtu: Some(mtu),
                ..vxlan(name, local, below)
            };
            host.create_vxlan(&new).unwrap();
            let link = find(host, name);
            assert!(link.up && link.running);
            assert_eq!((link.mtu, link.mac), (mtu, mac(0x51)));
            let expected = Vxlan {
                vni: 1,
                port: 8472,
                local: Some(ip(local)),
                group: None,
                device: Some(below),
                learning: false,
                udp_checksum: name == "six",
                proxy: false,
                route_short_circuit: false,
                l2_miss: false,
                l3_miss: false,
                external: false,
                gbp: false,
                gpe: false,
            };
            assert_eq!(settings(&link), expected);
        }
        let names = host.vxlans().unwrap().into_iter().map(|link| link.name);
        assert_eq!(names.collect::<Vec<_>>(), ["four", "six"]);
    });
}

#[test]
fn the_mtu_is_what_fits_the_link_below() {
    in_namespace(|host| {
        let below = underlay(host);
        for (name, local, largest) in [("four", "192.0.2.1", 1450), ("six", "2001:db8::1", 1430)] {
            host.create_vxlan(&vxlan(name, local, below)).unwrap();
            assert_eq!(find(host, name).mtu, largest);
        }
    });
}

/// What `ip` prints of the namespace's VXLAN device.
fn shown(command: &str) -> String {
    let words = command.split(' ');
    let output = Command::new("ip").args(words).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {command}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// flannel's device and ours, in two namespaces that are otherwise the same.
#[test]
fn a_device_is_the_one_that_flannel_makes() {
    if Command::new("ip").arg("-V").output().is_err() {
        eprintln!("not compared: there is no ip(8) here");
        return;
    }
    for (local, checksum) in [
        ("192.0.2.1", true),
        ("192.0.2.1", false),
        ("2001:db8::1", true),
        ("2001:db8::1", false),
    ] {
        let by_us = in_namespace(|host| {
            let below = underlay(host);
            host.create_vxlan(&NewVxlan {
                udp_checksum: checksum,
                ..vxlan("flannel.1", local, below)
            })
            .unwrap();
            (
                find(host, "flannel.1"),
                shown("-d -json link show type vxlan"),
            )
        });
        let by_ip = in_namespace(|host| {
            underlay(host);
            let checksums = match (local.contains('.'), checksum) {
                (true, true) => "udpcsum",
                (true, false) => "noudpcsum",
                (false, true) => "noudp6zerocsumtx noudp6zerocsumrx",
                (false, false) => "udp6zerocsumtx udp6zerocsumrx",
            };
            shown(&format!(
                "link add flannel.1 address {} type vxlan id 1 dev left local {local} \
                 dstport 8472 nolearning {checksums}",
                mac(0x51)
            ));
            shown("link set flannel.1 up");
            (
                find(host, "flannel.1"),
                shown("-d -json link show type vxlan"),
            )
        });
        assert_eq!(by_us, by_ip);
    }
}

#[test]
fn a_device_moves_to_another_address_and_link_with_all_that_it_has() {
    in_namespace(|host| {
        let below = underlay(host);
        let right = find(host, "right").index;
        host.create_vxlan(&vxlan("podwire.1", "192.0.2.1", below))
            .unwrap();
        let before = find(host, "podwire.1");
        let peers: Vec<_> = (1..=10).flat_map(|n| peer(before.index, n)).collect();
        assert!(host.apply(&peers).iter().all(Result::is_ok));
        let all: Held = held(host, before.index);
        assert_eq!((all.0.len(), all.1.len(), all.2.len()), (10, 10, 10));

        host.add_address(right, network("198.51.100.1/24"), true)
            .unwrap();
        let change = VxlanChange {
            local: Some(ip("198.51.100.1")),
            device: Some(right),
            learning: Some(true),
            mtu: Some(1400),
        };
        host.change_vxlan(before.index, &change).unwrap();
        let after = find(host, "podwire.1");
        let expected = Vxlan {
            local: change.local,
            device: Some(right),
            learning: true,
            ..settings(&before)
        };
        assert_eq!(settings(&after), expected);
        assert_eq!((after.index, after.mtu), (before.index, 1400));
        assert_eq!(held(host, before.index), all);
    });
}

#[test]
fn another_mac_address_costs_the_neighbours_and_going_down_the_routes_too() {
    in_namespace(|host| {
        let below = underlay(host);
        host.create_vxlan(&vxlan("podwire.1", "192.0.2.1", below))
            .unwrap();
        let index = find(host, "podwire.1").index;
        assert!(host.apply(&peer(index, 1)).iter().all(Result::is_ok));
        let count = || {
            let (routes, neighbours, fdb) = held(host, index);
            (routes.len(), neighbours.len(), fdb.len())
        };
        let change = |change| host.change_link(index, &change).unwrap();
        change(LinkChange {
            mac: Some(mac(0x52)),
            ..LinkChange::default()
        });
        assert_eq!(count(), (1, 0, 1));
        change(LinkChange {
            up: Some(false),
            ..LinkChange::default()
        });
        assert_eq!(count(), (0, 0, 1));
    });
}

#[test]
fn the_device_that_has_the_port_is_named() {
    in_namespace(|host| {
        let below = underlay(host);
        host.create_vxlan(&vxlan("theirs", "192.0.2.1", below))
            .unwrap();
        let error = host
            .create_vxlan(&vxlan("ours", "192.0.2.1", below))
            .unwrap_err();
        assert!(error.is_exists(), "{error}");
        assert_eq!(
            error.to_string(),
            "cannot create the VXLAN device \"ours\" with port 8472 beside \"theirs\" (VNI 1): \
             File exists (A VXLAN device with the specified VNI already exists)"
        );
        assert_eq!(host.link("ours").unwrap(), None);
        // Another VNI, or another family, is not in its way.
        let other = NewVxlan {
            vni: 2,
            ..vxlan("ours", "192.0.2.1", below)
        };
        host.create_vxlan(&other).unwrap();
        host.create_vxlan(&vxlan("six", "2001:db8::1", below))
            .unwrap();
    });
}

#[test]
fn a_port_that_a_program_has_is_taken() {
    in_namespace(|host| {
        let below = underlay(host);
        let _theirs = UdpSocket::bind("0.0.0.0:8472").unwrap();
        let error = host
            .create_vxlan(&vxlan("ours", "192.0.2.1", below))
            .unwrap_err();
        assert_eq!(error.errno(), Some(Errno::EADDRINUSE), "{error}");
        assert_eq!(
            error.to_string(),
            "cannot create the VXLAN device \"ours\": Address already in use"
        );
        assert_eq!(host.link("ours").unwrap(), None);
    });
}

#[test]
fn a_device_goes_and_so_it_does_with_the_link_below() {
    in_namespace(|host| {
        let below = underlay(host);
        host.create_vxlan(&vxlan("podwire.1", "192.0.2.1", below))
            .unwrap();
        host.delete_link(find(host, "podwire.1").index).unwrap();
        assert_eq!(host.vxlans().unwrap(), []);
        host.create_vxlan(&vxlan("podwire.1", "192.0.2.1", below))
            .unwrap();
        let unbound = NewVxlan {
            vni: 2,
            device: None,
            ..vxlan("unbound", "192.0.2.1", below)
        };
        host.create_vxlan(&unbound).unwrap();
        host.delete_link(below).unwrap();
        let left = host.vxlans().unwrap();
        let [link] = &left[..] else {
            panic!("{left:?}")
        };
        assert_eq!((&*link.name, settings(link).device), ("unbound", None));
    });
}

#[test]
fn what_cannot_be_changed_in_place_is_refused_by_name() {
    in_namespace(|host| {
        let below = underlay(host);
        host.create_vxlan(&vxlan("podwire.1", "192.0.2.1", below))
            .unwrap();
        let index = find(host, "podwire.1").index;
        let change = VxlanChange {
            local: Some(ip("2001:db8::1")),
            ..VxlanChange::default()
        };
        let error = host.change_vxlan(index, &change).unwrap_err().to_string();
        let begin = "cannot change the link \"podwire.1\" as a VXLAN device: ";
        assert!(error.starts_with(begin), "{error}");
        let error = host.change_vxlan(below, &VxlanChange::default());
        assert!(error.is_err());
    });
}
