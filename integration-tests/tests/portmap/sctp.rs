// SPDX-License-Identifier: Apache-2.0
//! Ports of SCTP. Not every kernel has sockets of that protocol, so a packet is made here, and connection
//! tracking says where it went.

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd;
use std::time::Instant;

use integration_tests::{Outside, PATIENCE, Place};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, sendto, socket,
};
use serde_json::json;

use crate::site::{NODE, Site, network, port};

const SCTP: u8 = 132;
/// Of the sender.
const SOURCE: u16 = 4000;

/// CRC32c, by which SCTP's packets are checked (RFC 9260, appendix A).
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0x82f6_3b78 * (crc & 1));
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), step);
    !bytes.iter().fold(u32::MAX, byte)
}

/// A packet that asks for an association: INIT, in IPv4. The kernel fills the rest of its header in.
fn init(from: Ipv4Addr, to: Ipv4Addr, port: u16) -> Vec<u8> {
    let ports = [SOURCE.to_be_bytes(), port.to_be_bytes()].concat();
    let chunk = [
        1, 0, 0, 20, 0, 0, 0x12, 0x34, 0, 0, 0xff, 0xff, 0, 1, 0, 1, 0, 0, 0, 1,
    ];
    let checked = [&ports[..], &[0; 8], &chunk].concat();
    let sum = crc32c(&checked).to_le_bytes();
    let header = [0x45, 0, 0, 52, 0, 0, 0, 0, 64, SCTP, 0, 0];
    [
        &header[..],
        &from.octets(),
        &to.octets(),
        &ports,
        &[0; 4],
        &sum,
        &chunk,
    ]
    .concat()
}

fn send(from: &Place, packet: &[u8], to: Ipv4Addr) {
    from.run(|| {
        let raw = socket(
            AddressFamily::Inet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::Raw,
        );
        let raw = raw.expect("the laboratory may open raw sockets");
        let [a, b, c, d] = to.octets();
        let address = SockaddrIn::new(a, b, c, d, 0);
        let sent = sendto(raw.as_raw_fd(), packet, &address, MsgFlags::empty());
        assert_eq!(sent, Ok(packet.len()));
    });
}

/// Sends the packet, and waits until the node expects its answer from an address and a port.
fn assert_led(site: &Site, packet: &[u8], node: Ipv4Addr, to: IpAddr, port: u16) {
    site.node.tool("conntrack", "-F");
    send(&site.outside, packet, node);
    let answer = format!("src={to} dst={} sport={port} dport={SOURCE}", Outside::V4);
    let tracked = || site.node.tool("conntrack", "-L -p sctp");
    let until = Instant::now() + PATIENCE;
    while !tracked().contains(&answer) {
        assert!(Instant::now() < until, "not {answer}: {}", tracked());
    }
}

#[test]
fn a_port_of_sctp_leads_to_the_pod_as_long_as_it_is_there() {
    let site = Site::new();
    let (IpAddr::V4(client), IpAddr::V4(node)) = (Outside::V4, NODE[0]) else {
        panic!("these are IPv4 addresses");
    };
    let network = network(json!([port(8080, "sctp")]));
    let pod = site.runner.attach(&network, &site.node);
    let packet = init(client, node, 8080);
    assert_led(&site, &packet, node, pod.ipv4("eth0"), 80);
    let detached = site.runner.del(&network, &pod, "eth0");
    detached.expect("the pod is detached");
    assert_led(&site, &packet, node, NODE[0], 8080);
}
