// SPDX-License-Identifier: Apache-2.0
//! Packets between pods.

use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use crate::lab::Lab;

/// The pod of the node with this number.
pub(crate) fn pod(number: u8, family: char) -> IpAddr {
    let text = match family {
        '4' => format!("10.100.{number}.9"),
        _ => format!("fd00:0:0:{number:x}::9"),
    };
    text.parse().unwrap()
}

/// Sends a packet from the pod of one node to that of another; says from whom it came.
pub(crate) fn send(lab: &Lab, from: u8, to: u8, family: char, length: usize) -> Option<IpAddr> {
    let host = |number: u8| &lab.nodes[usize::from(number) - 1];
    let socket = |number: u8| {
        let socket = host(number).inside(|| UdpSocket::bind((pod(number, family), 0)));
        let socket = socket.unwrap();
        let limit = Duration::from_secs(10);
        socket.set_read_timeout(Some(limit)).unwrap();
        socket
    };
    let (sender, receiver) = (socket(from), socket(to));
    let to = receiver.local_addr().unwrap();
    sender.send_to(&vec![7; length], to).ok()?;
    let mut buffer = vec![0; length + 1];
    let (received, from) = receiver.recv_from(&mut buffer).ok()?;
    (received == length).then_some(from.ip())
}

/// Packets cross in both directions, as large as the device takes them, with the pods' own
/// addresses.
pub(crate) fn assert_cross(lab: &Lab, one: u8, other: u8, families: &str) {
    for family in families.chars() {
        // The device's MTU, less the headers of IP and UDP.
        let largest = if family == '4' { 1450 - 28 } else { 1430 - 48 };
        for (from, to) in [(one, other), (other, one)] {
            let seen = send(lab, from, to, family, largest);
            assert_eq!(seen, Some(pod(from, family)), "{from} to {to}, IPv{family}");
        }
    }
}
