// SPDX-License-Identifier: Apache-2.0
//! Bridges and their ports.

use std::collections::BTreeSet;

use net::{Kind, LinkChange, NewBridge, NewVeth, Port, PortChange, PortVlan, VethEnd};
use nix::errno::Errno;

use crate::{bridge, end, find, in_namespace, mac, pair};

#[test]
fn a_bridge_is_up_and_keeps_its_mac_address_whatever_its_ports() {
    in_namespace(|host| {
        let new = NewBridge {
            mtu: Some(1450),
            alias: Some("podwire"),
            ..bridge("cni0")
        };
        host.create_bridge(&new).unwrap();
        let cni0 = find(host, "cni0");
        assert_eq!((cni0.mac, cni0.mtu, cni0.up), (mac(1), 1450, true));
        assert_eq!(cni0.alias.as_deref(), Some("podwire"));
        assert_eq!(
            cni0.kind,
            Kind::Bridge {
                vlan_filtering: false,
                default_pvid: 0
            }
        );

        let lower = VethEnd {
            master: Some(cni0.index),
            ..end("veth1", 0)
        };
        host.create_veth(&NewVeth {
            host: lower,
            ..pair("veth1", "eth0")
        })
        .unwrap();
        assert_eq!(find(host, "cni0").mac, mac(1));
        host.delete_link(find(host, "veth1").index).unwrap();
        assert_eq!(find(host, "cni0").mac, mac(1));
    });
}

#[test]
fn a_taken_name_is_recognised() {
    in_namespace(|host| {
        host.create_bridge(&bridge("cni0")).unwrap();
        let error = host.create_bridge(&bridge("cni0")).unwrap_err();
        assert!(error.is_exists());
        assert_eq!(
            error.to_string(),
            "cannot create the bridge \"cni0\": File exists"
        );
    });
}

#[test]
fn a_bridge_without_an_alias_that_fits_is_taken_back() {
    in_namespace(|host| {
        let alias = "x".repeat(256);
        host.create_bridge(&NewBridge {
            alias: Some(&alias),
            ..bridge("cni0")
        })
        .unwrap_err();
        assert_eq!(host.link("cni0").unwrap(), None);
    });
}

#[test]
fn ports_are_those_of_the_bridge_and_no_others() {
    in_namespace(|host| {
        host.create_bridge(&bridge("br1")).unwrap();
        host.create_bridge(&bridge("br2")).unwrap();
        let (br1, br2) = (find(host, "br1").index, find(host, "br2").index);
        for (name, peer, master) in [
            ("a1", "b1", Some(br1)),
            ("a2", "b2", Some(br2)),
            ("a3", "b3", Some(br1)),
            ("a4", "b4", None),
        ] {
            let near = VethEnd {
                master,
                ..end(name, 2)
            };
            host.create_veth(&NewVeth {
                host: near,
                ..pair(name, peer)
            })
            .unwrap();
        }
        let names = |bridge| {
            let ports = host.ports(bridge).unwrap();
            ports
                .into_iter()
                .map(|port| port.name)
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(
            names(br1),
            BTreeSet::from(["a1".to_owned(), "a3".to_owned()])
        );
        assert_eq!(names(br2), BTreeSet::from(["a2".to_owned()]));
        assert_eq!(names(4711), BTreeSet::new());
    });
}

#[test]
fn hairpin_and_isolation_are_switched_one_at_a_time() {
    in_namespace(|host| {
        host.create_bridge(&bridge("cni0")).unwrap();
        let near = VethEnd {
            master: Some(find(host, "cni0").index),
            ..end("veth1", 2)
        };
        host.create_veth(&NewVeth {
            host: near,
            ..pair("veth1", "eth0")
        })
        .unwrap();
        let index = find(host, "veth1").index;
        let port = || find(host, "veth1").port.unwrap();
        assert_eq!(
            port(),
            Port {
                hairpin: false,
                isolated: false
            }
        );
        host.change_port(
            index,
            &PortChange {
                hairpin: Some(true),
                isolated: None,
            },
        )
        .unwrap();
        assert_eq!(
            port(),
            Port {
                hairpin: true,
                isolated: false
            }
        );
        host.change_port(
            index,
            &PortChange {
                hairpin: None,
                isolated: Some(true),
            },
        )
        .unwrap();
        assert_eq!(
            port(),
            Port {
                hairpin: true,
                isolated: true
            }
        );
        host.change_port(
            index,
            &PortChange {
                hairpin: Some(false),
                isolated: Some(false),
            },
        )
        .unwrap();
        assert_eq!(
            port(),
            Port {
                hairpin: false,
                isolated: false
            }
        );
    });
}

#[test]
fn a_link_that_is_no_port_cannot_be_changed_as_one() {
    in_namespace(|host| {
        host.create_veth(&pair("veth1", "eth0")).unwrap();
        let change = PortChange {
            hairpin: Some(true),
            isolated: None,
        };
        let error = host
            .change_port(find(host, "veth1").index, &change)
            .unwrap_err();
        assert_eq!(error.errno(), Some(Errno::EOPNOTSUPP), "{error}");
        assert!(
            error.to_string().contains("\"veth1\" as a bridge port"),
            "{error}"
        );
    });
}

/// A kernel without VLAN filtering says so; one with it does what was asked.
#[test]
fn vlans_are_kept_or_refused_but_never_ignored() {
    in_namespace(|host| {
        host.create_bridge(&bridge("cni0")).unwrap();
        let cni0 = find(host, "cni0").index;
        let near = VethEnd {
            master: Some(cni0),
            ..end("veth1", 2)
        };
        host.create_veth(&NewVeth {
            host: near,
            ..pair("veth1", "eth0")
        })
        .unwrap();
        let index = find(host, "veth1").index;
        let access = PortVlan {
            first: 10,
            last: 10,
            pvid: true,
            untagged: true,
        };
        let trunk = PortVlan {
            first: 100,
            last: 200,
            pvid: false,
            untagged: false,
        };

        let filtering_bridge = NewBridge {
            vlan_filtering: true,
            ..bridge("cni1")
        };
        let filtering = LinkChange {
            vlan_filtering: Some(true),
            ..LinkChange::default()
        };
        if let Err(error) = host.change_link(cni0, &filtering) {
            assert_eq!(error.errno(), Some(Errno::EOPNOTSUPP), "{error}");
            let error = host.create_bridge(&filtering_bridge).unwrap_err();
            assert_eq!(error.errno(), Some(Errno::EOPNOTSUPP), "{error}");
            assert_eq!(host.link("cni1").unwrap(), None);
            let error = host.add_port_vlan(index, &access).unwrap_err();
            assert_eq!(error.errno(), Some(Errno::EOPNOTSUPP), "{error}");
            assert!(
                error.to_string().contains("\"veth1\" into VLAN 10"),
                "{error}"
            );
            assert_eq!(host.port_vlans(index).unwrap(), []);
            return;
        }
        let one = PortVlan {
            first: 1,
            last: 1,
            pvid: true,
            untagged: true,
        };
        assert_eq!(host.port_vlans(index).unwrap(), [one]);
        host.add_port_vlan(index, &access).unwrap();
        host.add_port_vlan(index, &trunk).unwrap();
        host.delete_port_vlan(index, 1..=1).unwrap();
        assert_eq!(host.port_vlans(index).unwrap(), [access, trunk]);
        host.delete_port_vlan(index, 150..=200).unwrap();
        let rest = PortVlan { last: 149, ..trunk };
        assert_eq!(host.port_vlans(index).unwrap(), [access, rest]);
        let on = Kind::Bridge {
            vlan_filtering: true,
            default_pvid: 1,
        };
        assert_eq!(find(host, "cni0").kind, on);
    });
}
