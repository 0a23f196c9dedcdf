// SPDX-License-Identifier: Apache-2.0
//! Packets that pass through VXLAN devices from one namespace to another.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use ipnetwork::IpNetwork;
use net::{
    FdbEntry, Kind, Link, Neighbour, Netns, NewVeth, NewVxlan, Request, Route, RouteEntry, Rtnl,
    VethEnd,
};

use crate::peers::{OURS, apply};
use crate::vxlans::vxlan;
use crate::{end, find, ip, mac, network, pair, sandbox, set_up};

/// One of the two ends of a tunnel.
struct End {
    netns: Netns,
    rtnl: Rtnl,
    device: Link,
    pod: IpAddr,
}

/// Two namespaces, joined by a wire, with a VXLAN device and a pod's address in
/// each.
fn tunnel(v6: bool, udp_checksum: bool) -> [End; 2] {
    let spaces = [sandbox(), sandbox()];
    let rtnls = spaces.each_ref().map(|space| Rtnl::open_in(space).unwrap());
    let up = |name, last| VethEnd {
        up: true,
        ..end(name, last)
    };
    let wire = NewVeth {
        host: up("wire", 1),
        container: up("wire", 2),
        container_ns: Some(&spaces[1]),
        ..pair("", "")
    };
    rtnls[0].create_veth(&wire).unwrap();
    let mut n = 0;
    spaces.map(|netns| {
        n += 1;
        let (underlay, prefix, pod) = match v6 {
            false => (format!("192.0.2.{n}"), 24, format!("10.200.{n}.9")),
            true => (format!("2001:db8::{n}"), 64, format!("fd00:{n}::9")),
        };
        let rtnl = Rtnl::open_in(&netns).unwrap();
        let below = find(&rtnl, "wire").index;
        let address = network(&format!("{underlay}/{prefix}"));
        rtnl.add_address(below, address, true).unwrap();
        let new = NewVxlan {
            mac: mac(0x50 + n),
            udp_checksum,
            ..vxlan("podwire.1", &underlay, below)
        };
        rtnl.create_vxlan(&new).unwrap();
        let lo = find(&rtnl, "lo").index;
        set_up(&rtnl, "lo");
        rtnl.add_address(lo, network(&pod), true).unwrap();
        End {
            device: find(&rtnl, "podwire.1"),
            pod: ip(&pod),
            netns,
            rtnl,
        }
    })
}

impl End {
    /// The requests that lead to the other end.
    fn to(&self, other: &Self) -> [Request; 3] {
        let link = self.device.index;
        let Kind::Vxlan(vxlan) = other.device.kind else {
            panic!()
        };
        let prefix = if other.pod.is_ipv4() { 24 } else { 32 };
        let subnet = IpNetwork::new(other.pod, prefix).unwrap();
        let gateway = subnet.network();
        let mac = other.device.mac;
        let route = Route {
            gateway: Some(gateway),
            oif: Some(link),
            onlink: true,
            ..Route::to(IpNetwork::new(gateway, prefix).unwrap())
        };
        [
            Request::SetNeighbour(Neighbour {
                link,
                ip: gateway,
                mac,
            }),
            Request::SetFdb(FdbEntry::new(link, mac, vxlan.local.unwrap())),
            Request::AddRoute(RouteEntry {
                route,
                protocol: OURS,
            }),
        ]
    }

    fn socket(&self) -> UdpSocket {
        let socket = self.netns.run(|| UdpSocket::bind((self.pod, 0)).unwrap());
        let socket = socket.unwrap();
        let moment = Duration::from_millis(100);
        socket.set_read_timeout(Some(moment)).unwrap();
        socket
    }
}

/// Sends a message until it arrives, and returns it and whom it is from. An
/// IPv6 address takes a moment to be reachable, even without the detection of
/// duplicates.
fn pass(from: &UdpSocket, to: &UdpSocket, message: &[u8]) -> (Vec<u8>, SocketAddr) {
    let mut received = vec![0; message.len() + 1];
    for _ in 0..100 {
        from.send_to(message, to.local_addr().unwrap()).unwrap();
        if let Ok((length, sender)) = to.recv_from(&mut received) {
            received.truncate(length);
            return (received, sender);
        }
    }
    panic!("nothing arrives");
}

#[test]
fn packets_pass_between_two_namespaces() {
    for (v6, udp_checksum) in [(false, false), (false, true), (true, true), (true, false)] {
        let [a, b] = tunnel(v6, udp_checksum);
        apply(&a.rtnl, &a.to(&b));
        apply(&b.rtnl, &b.to(&a));
        let (here, there) = (a.socket(), b.socket());
        // The largest that need not be cut.
        let headers = if v6 { 40 + 8 } else { 20 + 8 };
        let message = vec![7; usize::try_from(a.device.mtu).unwrap() - headers];
        let address = |socket: &UdpSocket| socket.local_addr().unwrap();
        let answer = b"back".to_vec();
        assert_eq!(pass(&here, &there, &message), (message, address(&here)));
        assert_eq!(pass(&there, &here, &answer), (answer, address(&there)));
    }
}
