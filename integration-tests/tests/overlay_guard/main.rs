// SPDX-License-Identifier: Apache-2.0
//! VXLAN knows no passwords: who may send into the pods' network is decided by the guard of its
//! port. Each packet that must not come through is followed by one that must, by the same way: what
//! arrives first tells.
#![cfg(test)]

mod pods;
mod port;
mod strangers;

use std::net::{IpAddr, UdpSocket};

use integration_tests::vxlan::{self, PORT};
use integration_tests::{Fleet, Member, PATIENCE, Place, Pod, Stack};
use net::Mac;
use serde_json::Value;

/// A cluster of two with a pod on each node.
struct World {
    fleet: Fleet,
    pods: Vec<Pod>,
}

/// Where the pod of the first node takes what comes through the overlay.
struct Target {
    receiver: UdpSocket,
    pod: IpAddr,
    /// The first node's underlay address.
    node: IpAddr,
    /// Its VXLAN device's MAC address.
    mac: Mac,
    /// An address that a pod of the second node could have.
    claimed: IpAddr,
}

impl World {
    fn new(keys: &Value) -> Self {
        let fleet = Fleet::new(2, Stack::Dual);
        let pods = fleet.attach_each(keys);
        Self { fleet, pods }
    }

    fn first(&self) -> &Member {
        &self.fleet.members[0]
    }

    fn second(&self) -> &Member {
        &self.fleet.members[1]
    }

    /// The first node's pod, by IPv4 and by IPv6.
    fn targets(&self) -> [Target; 2] {
        [(0, "podwire.1"), (1, "podwire-v6.1")].map(|(index, device)| {
            let pod = self.pods[0].all_addresses()[index];
            let receiver = self.pods[0].run(|| UdpSocket::bind((pod, 9)));
            let receiver = receiver.expect("a pod has its address");
            let limited = receiver.set_read_timeout(Some(PATIENCE));
            limited.expect("the limit is not zero");
            let claimed = ["10.200.2.77", "fd00:200:0:2::77"][index];
            Target {
                receiver,
                pod,
                node: self.first().underlay()[index],
                mac: self.first().node.link(device).mac,
                claimed: claimed.parse().expect("an address"),
            }
        })
    }

    /// The second node's underlay address of the family of a target.
    fn peer(&self, target: &Target) -> IpAddr {
        like(self.second().underlay(), target.node)
    }
}

impl Target {
    /// A VXLAN packet with a datagram for the pod, from one of a place's addresses.
    fn send(&self, from: &Place, source: IpAddr, vni: u32, text: &str) {
        self.send_to(from, source, self.node, vni, text);
    }

    fn send_to(&self, from: &Place, source: IpAddr, to: IpAddr, vni: u32, text: &str) {
        let macs = (Mac::new([2, 0, 0, 0, 0, 0x99]), self.mac);
        let frame = vxlan::frame(macs, (self.claimed, self.pod), 9, text.as_bytes());
        let packet = vxlan::encapsulate(vni, &frame);
        let sent = from.run(|| UdpSocket::bind((source, 0))?.send_to(&packet, (to, PORT)));
        sent.unwrap_or_else(|error| panic!("{source} to {to}: {error}"));
    }

    /// What the pod hears next.
    fn hears(&self) -> String {
        let mut text = [0; 64];
        let heard = self.receiver.recv_from(&mut text);
        let (length, from) = heard.unwrap_or_else(|error| panic!("{} hears {error}", self.pod));
        assert_eq!(from.ip(), self.claimed);
        String::from_utf8_lossy(&text[..length]).into_owned()
    }
}

fn like(addresses: Vec<IpAddr>, other: IpAddr) -> IpAddr {
    let mut addresses = addresses.into_iter();
    let like = addresses.find(|address| address.is_ipv4() == other.is_ipv4());
    like.expect("there is one of each family")
}
