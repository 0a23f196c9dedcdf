// SPDX-License-Identifier: Apache-2.0
//! ICMP echo (RFC 792, RFC 4443) by raw sockets, so that no `ping` needs to be installed.

use std::io;
use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant};

use nix::sys::socket::sockopt::{Ipv6DontFrag, Ipv6RecvErr};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, setsockopt, socket};

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

/// As [`ping`], with an IP packet of `length` octets that is never cut in pieces, by nobody on
/// the way.
///
/// # Errors
/// EMSGSIZE as soon as somebody says that it is too long, the sender's own kernel or a router;
/// EAGAIN when nothing came within `limit`.
pub fn ping_unfragmented(
    from: &Place,
    to: IpAddr,
    length: usize,
    limit: Duration,
) -> io::Result<()> {
    let headers = HEADER + if to.is_ipv4() { 20 } else { 40 };
    from.run(|| {
        let (echo, message) = (echo_socket(to)?, message(to, length - headers));
        if to.is_ipv4() {
            // Only who writes the IP header himself has a say in the flag.
            let flags = SockFlag::SOCK_CLOEXEC;
            let raw = socket(AddressFamily::Inet, SockType::Raw, flags, SockProtocol::Raw)?;
            let packet = [&ipv4_header(to, length), &message[..]].concat();
            UdpSocket::from(raw).send_to(&packet, (to, 0))?;
        } else {
            setsockopt(&echo, Ipv6DontFrag, &true)?;
            // Else a router's word is kept for the next packet alone.
            setsockopt(&echo, Ipv6RecvErr, &true)?;
            echo.send(&message)?;
        }
        answer(&echo, to, &message, limit)
    })
}

fn exchange(to: IpAddr, size: usize, limit: Duration) -> io::Result<()> {
    let (socket, message) = (echo_socket(to)?, message(to, size));
    socket.send(&message)?;
    answer(&socket, to, &message, limit)
}

/// A socket for echo messages to and from one address.
fn echo_socket(to: IpAddr) -> io::Result<UdpSocket> {
    let (family, protocol) = match to {
        IpAddr::V4(_) => (AddressFamily::Inet, SockProtocol::Icmp),
        IpAddr::V6(_) => (AddressFamily::Inet6, SockProtocol::IcmpV6),
    };
    let raw = socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
    // The standard library's face of a datagram socket; the kernel's object is the raw one.
    let socket = UdpSocket::from(raw);
    socket.connect((to, 0))?;
    Ok(socket)
}

/// Waits for the answer to `message`.
fn answer(socket: &UdpSocket, to: IpAddr, message: &[u8], limit: Duration) -> io::Result<()> {
    let reply = if to.is_ipv4() { 0 } else { 129 };
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

/// An echo request. The identifier tells the threads of a test apart that ping at the same time.
fn message(to: IpAddr, size: usize) -> Vec<u8> {
    use std::sync::atomic::{AtomicU16, Ordering};
    static IDENTIFIER: AtomicU16 = AtomicU16::new(1);
    let identifier = IDENTIFIER.fetch_add(1, Ordering::Relaxed);

    let mut message = vec![0; HEADER + size];
    message[0] = if to.is_ipv4() { 8 } else { 128 };
    message[4..6].copy_from_slice(&identifier.to_be_bytes());
    message[6..8].copy_from_slice(&SEQUENCE.to_be_bytes());
    // The kernel writes ICMPv6's checksum itself, over this one.
    let checksum = checksum(&message);
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    message
}

/// The header of RFC 791 of a packet with the flag "don't fragment"; the kernel fills in the source
/// and the checksum.
fn ipv4_header(to: IpAddr, length: usize) -> Vec<u8> {
    let IpAddr::V4(to) = to else {
        unreachable!("it is of IPv4")
    };
    let length = u16::try_from(length).expect("a packet is at most 64 KiB long");
    let [high, low] = length.to_be_bytes();
    let mut header = vec![0x45, 0, high, low, 0, 0, 0x40, 0, 64, 1, 0, 0, 0, 0, 0, 0];
    header.extend(to.octets());
    header
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
