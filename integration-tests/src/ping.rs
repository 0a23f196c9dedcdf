// SPDX-License-Identifier: Apache-2.0
//! ICMP echo (RFC 792, RFC 4443) by raw sockets, so that no `ping` needs to be installed.

use std::io;
use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

use crate::place::Place;

/// Octets before the payload of an echo message.
const HEADER: usize = 8;
/// What an echo message of ours bears as its sequence number.
const SEQUENCE: u16 = 0x7077;

/// Sends exactly one echo request of 56 octets and returns whether its answer came within `limit`.
///
/// That the very first packet is answered is what a pod may expect once ADD has returned.
pub fn ping(from: &Place, to: IpAddr, limit: Duration) -> bool {
    ping_sized(from, to, 56, limit)
}

/// As [`ping`], with a payload of `size` octets: the IP packet is 28 (IPv4) or 48 (IPv6) longer.
pub fn ping_sized(from: &Place, to: IpAddr, size: usize, limit: Duration) -> bool {
    from.run(|| exchange(to, size, limit)).is_ok()
}

fn exchange(to: IpAddr, size: usize, limit: Duration) -> io::Result<()> {
    let (family, protocol, request, reply) = match to {
        IpAddr::V4(_) => (AddressFamily::Inet, SockProtocol::Icmp, 8, 0),
        IpAddr::V6(_) => (AddressFamily::Inet6, SockProtocol::IcmpV6, 128, 129),
    };
    let raw = socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
    // The standard library's face of a datagram socket; the kernel's object is the raw one.
    let socket = UdpSocket::from(raw);
    socket.connect((to, 0))?;
    let message = message(request, size);
    socket.send(&message)?;
    let until = Instant::now() + limit;
    let mut received = vec![0; message.len() + 60];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        socket.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let length = socket.recv(&mut received)?;
        let packet = &received[..length];
        // A raw IPv4 socket gives the IP header too; its length is in units of four octets.
        let skip = if to.is_ipv4() {
            usize::from(packet[0] & 0xf) * 4
        } else {
            0
        };
        let answer = packet.get(skip..).unwrap_or_default();
        if answer.first() == Some(&reply) && answer.get(4..) == Some(&message[4..]) {
            return Ok(());
        }
    }
}

/// An echo message. The identifier tells the threads of a test apart that ping at the same time.
fn message(kind: u8, size: usize) -> Vec<u8> {
    use std::sync::atomic::{AtomicU16, Ordering};
    static IDENTIFIER: AtomicU16 = AtomicU16::new(1);
    let identifier = IDENTIFIER.fetch_add(1, Ordering::Relaxed);

    let mut message = vec![0; HEADER + size];
    message[0] = kind;
    message[4..6].copy_from_slice(&identifier.to_be_bytes());
    message[6..8].copy_from_slice(&SEQUENCE.to_be_bytes());
    // The kernel writes ICMPv6's checksum itself, over this one.
    let checksum = checksum(&message);
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    message
}

/// The Internet checksum of RFC 1071 of an even number of octets or one that ends in zero.
pub(crate) fn checksum(message: &[u8]) -> u16 {
    let words = message
        .chunks(2)
        .map(|word| u64::from(word[0]) << 8 | word.get(1).copied().map_or(0, u64::from));
    let mut sum: u64 = words.sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !u16::try_from(sum).expect("the carries are folded in")
}
