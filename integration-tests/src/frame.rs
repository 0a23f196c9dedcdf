// SPDX-License-Identifier: Apache-2.0
//! Ethernet frames as they are on the wire: sent with any source address, and watched as they
//! arrive.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use net::Mac;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, SockaddrLike, bind, socket,
};
use std::os::fd::AsRawFd;

use crate::place::Place;

/// An EtherType for experiments, of IEEE 802: no protocol of the kernel takes such frames.
const EXPERIMENTAL: [u8; 2] = [0x88, 0xb5];
/// The length of the header of a frame.
const ETHERNET: usize = 14;
/// The shortest frame without its checksum.
const SHORTEST: usize = 60;

/// Sends one frame from `interface` of a place with any source and destination address, as a
/// container can that forges its address.
///
/// # Panics
/// When there is no such interface, or it is down.
pub fn send_frame(from: &Place, interface: &str, source: Mac, destination: Mac) {
    from.run(|| {
        let socket = packet_socket(interface);
        let mut frame = [&destination.octets()[..], &source.octets(), &EXPERIMENTAL].concat();
        frame.resize(SHORTEST, 0);
        socket
            .send(&frame)
            .unwrap_or_else(|error| panic!("{interface}: {error}"));
    });
}

/// Sees every frame of one interface from the moment that it was made.
#[derive(Debug)]
pub struct Tap {
    socket: UdpSocket,
}

impl Tap {
    /// Starts to watch an interface of a place.
    ///
    /// # Panics
    /// When there is no such interface.
    pub fn new(place: &Place, interface: &str) -> Self {
        Self {
            socket: place.run(|| packet_socket(interface)),
        }
    }

    /// Whether a frame of [`send_frame`] with this source address arrives within `limit`.
    pub fn sees(&self, source: Mac, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Some(frame) = self.frame(left) else {
                return false;
            };
            if frame[6..12] == source.octets() && frame[12..14] == EXPERIMENTAL {
                return true;
            }
        }
    }

    /// The next frame on this interface, sent or received, within `limit`; not more of it than
    /// 64 KiB.
    pub fn frame(&self, limit: Duration) -> Option<Vec<u8>> {
        let mut frame = vec![0; 1 << 16];
        let limit = limit.max(Duration::from_millis(1));
        let limited = self.socket.set_read_timeout(Some(limit));
        limited.expect("the time limit is not zero");
        let length = self.socket.recv(&mut frame).ok()?;
        frame.truncate(length);
        (length >= ETHERNET).then_some(frame)
    }
}

/// A packet socket for all protocols, bound to one interface: the standard library's face of a
/// datagram socket serves it, the kernel's object is what counts.
fn packet_socket(interface: &str) -> UdpSocket {
    let flags = SockFlag::SOCK_CLOEXEC;
    let packet = AddressFamily::Packet;
    let socket = socket(packet, SockType::Raw, flags, SockProtocol::EthAll)
        .expect("a packet socket can be opened");
    let interfaces = getifaddrs().expect("the interfaces can be listed");
    let links = interfaces.filter(|entry| entry.interface_name == interface);
    let mut links = links.filter_map(|entry| entry.address);
    let link = links.find(|address| address.family() == Some(packet));
    let link = link.unwrap_or_else(|| panic!("there is no interface {interface}"));
    bind(socket.as_raw_fd(), &link).expect("a packet socket can be bound to an interface");
    UdpSocket::from(socket)
}
