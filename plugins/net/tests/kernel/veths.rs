// SPDX-License-Identifier: Apache-2.0
//! Veth pairs: complete from the first moment, and both ends where they belong.

use std::time::Duration;

use net::{Kind, NewVeth, Rtnl, VethEnd, VethPair};

use crate::{bridge, end, find, in_namespace, mac, pair, sandbox, set_up};

#[test]
fn a_pair_is_complete_and_its_far_end_inside_the_sandbox() {
    in_namespace(|host| {
        host.create_bridge(&bridge("cni0")).unwrap();
        let cni0 = find(host, "cni0");
        let netns = sandbox();
        let container = Rtnl::open_in(&netns).unwrap();
        let new = NewVeth {
            host: VethEnd {
                up: true,
                master: Some(cni0.index),
                alias: Some("podwire eth0"),
                ..end("veth1", 2)
            },
            container: end("eth0", 3),
            mtu: Some(1400),
            container_ns: Some(&netns),
        };
        let made = host.create_veth(&new).unwrap();

        let near = find(host, "veth1");
        let far = find(&container, "eth0");
        assert_eq!(
            made,
            VethPair {
                host: near.index,
                container: far.index
            }
        );
        assert_eq!((near.mac, far.mac), (mac(2), mac(3)));
        assert_eq!((near.mtu, far.mtu), (1400, 1400));
        assert_eq!((near.up, far.up), (true, false));
        assert_eq!(near.master, Some(cni0.index));
        assert_eq!(near.alias.as_deref(), Some("podwire eth0"));
        assert_eq!((near.peer, far.peer), (Some(far.index), Some(near.index)));
        assert_eq!((&near.kind, &far.kind), (&Kind::Veth, &Kind::Veth));
        assert!(near.port.is_some() && far.port.is_none());
        assert_eq!(host.link("eth0").unwrap(), None);
    });
}

/// A link that was made elsewhere and moved has gone through a rename or an
/// index change; one that was made in place has the namespace's first free index.
#[test]
fn the_far_end_was_never_anywhere_else() {
    in_namespace(|host| {
        let netns = sandbox();
        let container = Rtnl::open_in(&netns).unwrap();
        // In the host's namespace the name is taken: a detour would fail.
        host.create_veth(&pair("eth0", "other")).unwrap();
        host.create_veth(&NewVeth {
            container_ns: Some(&netns),
            ..pair("veth1", "eth0")
        })
        .unwrap();
        let before = host.link("eth0").unwrap().map(|link| link.peer);
        assert_eq!(before, Some(Some(find(host, "other").index)));
        assert_eq!(find(&container, "eth0").index, 2);
    });
}

/// Within one namespace the kernel leaves the peer's index out when it equals
/// the link's own, as if there were none.
#[test]
fn ends_in_two_namespaces_may_have_the_same_index() {
    in_namespace(|host| {
        let netns = sandbox();
        let container = Rtnl::open_in(&netns).unwrap();
        let new = NewVeth {
            container_ns: Some(&netns),
            ..pair("veth1", "eth0")
        };
        let made = host.create_veth(&new).unwrap();
        assert_eq!(
            made,
            VethPair {
                host: 2,
                container: 2
            }
        );
        set_up(host, "veth1");
        set_up(&container, "eth0");
        assert!(
            host.wait_running(made.host, Duration::from_secs(30))
                .unwrap()
        );
        assert_eq!(find(host, "veth1").peer, Some(made.container));
    });
}

#[test]
fn what_the_kernel_does_not_take_in_one_request_is_there_too() {
    in_namespace(|host| {
        let netns = sandbox();
        let container = Rtnl::open_in(&netns).unwrap();
        container.create_bridge(&bridge("br")).unwrap();
        let br = find(&container, "br").index;
        let far = VethEnd {
            up: true,
            master: Some(br),
            alias: Some("far"),
            ..end("eth0", 3)
        };
        let near = VethEnd {
            up: true,
            ..end("veth1", 2)
        };
        host.create_veth(&NewVeth {
            host: near,
            container: far,
            mtu: None,
            container_ns: Some(&netns),
        })
        .unwrap();
        let far = find(&container, "eth0");
        assert_eq!(
            (far.up, far.master, far.alias.as_deref()),
            (true, Some(br), Some("far"))
        );
        assert!(find(host, "veth1").running);
    });
}

#[test]
fn both_ends_may_be_in_one_namespace_up_and_ports() {
    in_namespace(|host| {
        host.create_bridge(&bridge("cni0")).unwrap();
        let master = Some(find(host, "cni0").index);
        let near = VethEnd {
            up: true,
            ..end("cni0.7", 2)
        };
        let far = VethEnd {
            up: true,
            master,
            ..end("veth7", 3)
        };
        host.create_veth(&NewVeth {
            host: near,
            container: far,
            mtu: None,
            container_ns: None,
        })
        .unwrap();
        let (near, far) = (find(host, "cni0.7"), find(host, "veth7"));
        assert!(near.running && far.running);
        assert_eq!((near.master, far.master), (None, master));
    });
}

#[test]
fn a_taken_name_is_recognised_on_either_side_and_leaves_nothing() {
    in_namespace(|host| {
        let netns = sandbox();
        let container = Rtnl::open_in(&netns).unwrap();
        container.create_bridge(&bridge("eth0")).unwrap();
        host.create_bridge(&bridge("taken")).unwrap();
        let in_sandbox = |pair| NewVeth {
            container_ns: Some(&netns),
            ..pair
        };

        for new in [
            in_sandbox(pair("veth1", "eth0")),
            in_sandbox(pair("taken", "eth1")),
        ] {
            let error = host.create_veth(&new).unwrap_err();
            assert!(error.is_exists(), "{error}");
            assert!(error.to_string().contains(new.host.name), "{error}");
        }
        assert_eq!(host.link("veth1").unwrap(), None);
        assert_eq!(container.link("eth1").unwrap(), None);
    });
}

#[test]
fn a_pair_that_cannot_be_completed_is_taken_back() {
    in_namespace(|host| {
        let far = VethEnd {
            master: Some(4711),
            ..end("eth0", 3)
        };
        let error = host.create_veth(&NewVeth {
            container: far,
            ..pair("veth1", "eth0")
        });
        assert!(error.is_err());
        let too_long = "x".repeat(256);
        let near = VethEnd {
            alias: Some(&too_long),
            ..end("veth2", 2)
        };
        let error = host
            .create_veth(&NewVeth {
                host: near,
                ..pair("veth2", "eth2")
            })
            .unwrap_err();
        assert!(error.to_string().contains("veth2"), "{error}");
        for name in ["veth1", "eth0", "veth2", "eth2"] {
            assert_eq!(host.link(name).unwrap(), None, "{name}");
        }
    });
}

#[test]
fn a_master_that_is_not_there_is_named_by_the_kernel() {
    in_namespace(|host| {
        let near = VethEnd {
            master: Some(4711),
            ..end("veth1", 2)
        };
        let error = host
            .create_veth(&NewVeth {
                host: near,
                ..pair("veth1", "eth0")
            })
            .unwrap_err();
        assert!(error.errno().is_some(), "{error}");
        assert_eq!(host.link("veth1").unwrap(), None);
    });
}
