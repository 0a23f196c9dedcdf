// SPDX-License-Identifier: Apache-2.0
//! Datagrams of which a test chooses more than the destination: the source, or a group of
//! receivers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::BindToDevice;

use crate::place::Place;

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// A group of the experimental range of RFC 2365, and one of RFC 4291's link-local scope.
const GROUPS: (Ipv4Addr, Ipv6Addr) = (
    Ipv4Addr::new(239, 255, 7, 7),
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 7, 7),
);
const PORT: u16 = 7777;

/// As [`ask_udp`](crate::ask_udp), from an address and port of the client's choice.
///
/// # Errors
/// When the client has no such address, or no answer came within two seconds.
pub fn ask_udp_from(
    from: &Place,
    source: SocketAddr,
    server: SocketAddr,
) -> io::Result<SocketAddr> {
    from.run(|| {
        let socket = UdpSocket::bind(source)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.connect(server)?;
        socket.send(b"who am I?")?;
        let mut answer = [0; 64];
        let length = socket.recv(&mut answer)?;
        String::from_utf8_lossy(&answer[..length])
            .parse()
            .map_err(io::Error::other)
    })
}

/// Sends one datagram from a place's address by an interface to a multicast group, and returns as
/// whose a member on the other side received it.
///
/// # Errors
/// When it did not arrive within two seconds.
pub fn multicast(
    from: (&Place, IpAddr, &str),
    to: &Place,
    member_interface: &str,
) -> io::Result<IpAddr> {
    let (sender, source, interface) = from;
    let member = if source.is_ipv4() {
        let IpAddr::V4(own) = to.ipv4(member_interface) else {
            unreachable!("it is of IPv4")
        };
        to.run(|| join_v4(own))?
    } else {
        let index = to.link(member_interface).index;
        to.run(|| join_v6(index))?
    };
    member.set_read_timeout(Some(PATIENCE))?;
    let index = sender.link(interface).index;
    let group: SocketAddr = match source {
        IpAddr::V4(_) => (GROUPS.0, PORT).into(),
        IpAddr::V6(_) => SocketAddrV6::new(GROUPS.1, PORT, 0, index).into(),
    };
    sender.run(|| {
        let socket = UdpSocket::bind((source, 0))?;
        // Else it would go by the interface that has the address.
        setsockopt(&socket, BindToDevice, &interface.into())?;
        socket.send_to(b"to all", group)
    })?;
    let (_, seen) = member.recv_from(&mut [0; 64])?;
    Ok(seen.ip())
}

fn join_v4(interface: Ipv4Addr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT))?;
    socket.join_multicast_v4(&GROUPS.0, &interface)?;
    Ok(socket)
}

fn join_v6(interface: u32) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, PORT))?;
    socket.join_multicast_v6(&GROUPS.1, interface)?;
    Ok(socket)
}
