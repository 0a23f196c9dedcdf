// SPDX-License-Identifier: Apache-2.0
//! Lists that change while they are read.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use net::{Netns, NewVeth, Rtnl, VethEnd};

use crate::{bridge, end, find, in_namespace, pair};

/// Links come and go while the ports are listed: each list must be whole, and
/// none may have a port twice.
#[test]
fn a_list_that_changes_while_it_is_read_is_read_again() {
    const PORTS: u32 = 80;
    in_namespace(|host| {
        host.create_bridge(&bridge("cni0")).unwrap();
        let cni0 = find(host, "cni0").index;
        let names: Vec<String> = (0..PORTS).map(|n| format!("p{n}")).collect();
        for name in &names {
            let near = VethEnd {
                master: Some(cni0),
                ..end(name, 2)
            };
            let peer = format!("{name}x");
            host.create_veth(&NewVeth {
                host: near,
                ..pair(name, &peer)
            })
            .unwrap();
        }
        let expected: Vec<String> = names
            .iter()
            .cloned()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let netns = Netns::current().unwrap();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| disturb(&Rtnl::open_in(&netns).unwrap(), &stop));
            for _ in 0..50 {
                let ports = host.ports(cni0).unwrap();
                let mut seen: Vec<String> = ports.into_iter().map(|port| port.name).collect();
                seen.sort();
                assert_eq!(seen, expected);
            }
            stop.store(true, Ordering::Relaxed);
        });
    });
}

/// Makes and deletes a link until told to stop, which changes the list.
fn disturb(rtnl: &Rtnl, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        rtnl.create_bridge(&bridge("other")).unwrap();
        rtnl.delete_link(find(rtnl, "other").index).unwrap();
    }
}
