// SPDX-License-Identifier: Apache-2.0
//! VXLAN packets (RFC 7348) as they are on the underlay: taken apart for a look, and made by hand
//! to see who takes them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use net::Mac;

use crate::frame::Tap;
use crate::ping::checksum;

/// The port of Linux and of flannel.
pub const PORT: u16 = 8472;
/// The header's one flag: the VNI is valid.
const VNI_VALID: u8 = 0x08;
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];
const UDP: u8 = 17;
/// Octets of the headers of Ethernet, UDP and VXLAN.
const ETHERNET: usize = 14;
const UDP_HEADER: usize = 8;
const VXLAN: usize = 8;

/// A VXLAN packet on the underlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encapsulated {
    /// The outer IP packet.
    pub outer: Datagram,
    /// The VXLAN network identifier.
    pub vni: u32,
    /// The flags octet of the VXLAN header.
    pub flags: u8,
    /// Who the inner frame is from.
    pub source_mac: Mac,
    /// Who the inner frame is for.
    pub destination_mac: Mac,
    /// The inner frame's IP source and destination; none for another protocol.
    pub inner: Option<(IpAddr, IpAddr)>,
}

/// A UDP packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// The IP source.
    pub source: IpAddr,
    /// The IP destination.
    pub destination: IpAddr,
    /// The length in bytes of the whole IP packet.
    pub length: usize,
    /// The time to live, or the hop limit.
    pub ttl: u8,
    /// The UDP source port.
    pub source_port: u16,
    /// The UDP destination port.
    pub port: u16,
    /// The UDP checksum as it is in the packet; 0 says that there is none.
    pub checksum: u16,
    payload: Vec<u8>,
}

impl Datagram {
    /// Takes an Ethernet frame apart; none if it is not a whole UDP packet.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let (source, destination, packet) = addresses(frame)?;
        let (protocol, ttl, header) = match source {
            IpAddr::V4(_) => (packet[9], packet[8], usize::from(packet[0] & 0xf) * 4),
            IpAddr::V6(_) => (packet[6], packet[7], 40),
        };
        let udp = packet.get(header..).filter(|_| protocol == UDP)?;
        let payload = udp.get(UDP_HEADER..)?.to_vec();
        let word = |at: usize| u16::from_be_bytes([udp[at], udp[at + 1]]);
        Some(Self {
            source,
            destination,
            length: header + udp.len(),
            ttl,
            source_port: word(0),
            port: word(2),
            checksum: word(6),
            payload,
        })
    }
}

impl Encapsulated {
    /// Takes an Ethernet frame apart; none if it is no VXLAN packet for the usual port.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let outer = Datagram::parse(frame).filter(|outer| outer.port == PORT)?;
        let header = outer.payload.get(..VXLAN)?;
        let inner = outer
            .payload
            .get(VXLAN..)
            .filter(|it| it.len() >= ETHERNET)?;
        let mac = |at: usize| {
            let octets = inner[at..at + 6].try_into();
            Mac::new(octets.expect("a slice of six octets"))
        };
        Some(Self {
            vni: u32::from_be_bytes([0, header[4], header[5], header[6]]),
            flags: header[0],
            destination_mac: mac(0),
            source_mac: mac(6),
            inner: addresses(inner).map(|(source, destination, _)| (source, destination)),
            outer,
        })
    }
}

impl Tap {
    /// The next VXLAN packet on this interface, in either direction, within `limit`.
    pub fn encapsulated(&self, limit: Duration) -> Option<Encapsulated> {
        let until = Instant::now() + limit;
        loop {
            let frame = self.frame(until.saturating_duration_since(Instant::now()))?;
            if let Some(packet) = Encapsulated::parse(&frame) {
                return Some(packet);
            }
        }
    }

    /// All VXLAN packets that this interface has seen, and no other comes within `silence`.
    pub fn all_encapsulated(&self, silence: Duration) -> Vec<Encapsulated> {
        std::iter::from_fn(|| self.encapsulated(silence)).collect()
    }
}

/// The UDP payload of a VXLAN packet: its header and the inner frame.
pub fn encapsulate(vni: u32, frame: &[u8]) -> Vec<u8> {
    let [_, high, middle, low] = vni.to_be_bytes();
    let header = [VNI_VALID, 0, 0, 0, high, middle, low, 0];
    [&header[..], frame].concat()
}

/// An Ethernet frame with one UDP datagram in it, as a pod's that a node forwards.
///
/// # Panics
/// When the addresses are of two families, or the payload is longer than a packet.
pub fn frame(macs: (Mac, Mac), ends: (IpAddr, IpAddr), port: u16, payload: &[u8]) -> Vec<u8> {
    let (source_mac, destination_mac) = macs;
    let ethernet = [destination_mac.octets(), source_mac.octets()].concat();
    let udp = datagram(ends, port, payload);
    let length = u16::try_from(udp.len())
        .expect("the payload is short")
        .to_be_bytes();
    let rest = match ends {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let total = u16::try_from(udp.len() + 20).expect("the payload is short");
            let mut header = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, UDP, 0, 0];
            header[2..4].copy_from_slice(&total.to_be_bytes());
            header.extend([source.octets(), destination.octets()].concat());
            let sum = checksum(&header).to_be_bytes();
            header[10..12].copy_from_slice(&sum);
            [&IPV4[..], &header].concat()
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let mut header = vec![0x60, 0, 0, 0, length[0], length[1], UDP, 64];
            header.extend([source.octets(), destination.octets()].concat());
            [&IPV6[..], &header].concat()
        }
        _ => panic!("{ends:?} are of two families"),
    };
    [ethernet, rest, udp].concat()
}

/// A UDP packet from a port of the dynamic range, with its checksum.
fn datagram((source, destination): (IpAddr, IpAddr), port: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(UDP_HEADER + payload.len()).expect("the payload is short");
    let words = [50_000, port, length, 0].map(u16::to_be_bytes);
    let mut udp = [&words.concat()[..], payload].concat();
    let pseudo = [
        octets(source),
        octets(destination),
        vec![0, UDP],
        length.to_be_bytes().to_vec(),
    ];
    let sum = checksum(&[&pseudo.concat()[..], &udp].concat());
    udp[6..8].copy_from_slice(&sum.to_be_bytes());
    udp
}

/// Source and destination of the IP packet in an Ethernet frame, and that packet.
fn addresses(frame: &[u8]) -> Option<(IpAddr, IpAddr, &[u8])> {
    let packet = frame.get(ETHERNET..)?;
    match [frame[12], frame[13]] {
        IPV4 => {
            let end = |at: usize| <[u8; 4]>::try_from(packet.get(at..at + 4)?).ok();
            let end = |at| Some(IpAddr::V4(Ipv4Addr::from(end(at)?)));
            Some((end(12)?, end(16)?, packet))
        }
        IPV6 => {
            let end = |at: usize| <[u8; 16]>::try_from(packet.get(at..at + 16)?).ok();
            let end = |at| Some(IpAddr::V6(Ipv6Addr::from(end(at)?)));
            Some((end(8)?, end(24)?, packet))
        }
        _ => None,
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}
