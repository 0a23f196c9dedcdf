// SPDX-License-Identifier: Apache-2.0
//! Where the server listens.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::str::FromStr;

use nix::errno::Errno;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::Ipv6V6Only;
use tokio::net::{TcpListener, TcpSocket};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 64;

/// `ADDRESS:PORT`, or `:PORT` for all addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listen {
    address: Option<IpAddr>,
    port: NonZeroU16,
}

/// A text that says no such thing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is neither ADDRESS:PORT, nor [ADDRESS]:PORT, nor :PORT for all addresses")]
pub(crate) struct NotListen;

impl FromStr for Listen {
    type Err = NotListen;

    fn from_str(text: &str) -> Result<Self, NotListen> {
        let (address, port) = match text.strip_prefix(':') {
            Some(port) => (None, port.parse().map_err(|_| NotListen)?),
            None => {
                let socket: SocketAddr = text.parse().map_err(|_| NotListen)?;
                (Some(socket.ip()), socket.port())
            }
        };
        let port = NonZeroU16::new(port).ok_or(NotListen)?;
        Ok(Self { address, port })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => SocketAddr::new(address, self.port.get()).fmt(f),
            None => write!(f, ":{}", self.port),
        }
    }
}

impl Listen {
    /// Listens. All addresses are those of both families, or of IPv4 where a host has no IPv6.
    pub(super) fn bind(self) -> io::Result<TcpListener> {
        if let Some(address) = self.address {
            return self.bind_to(address);
        }
        match self.bind_to(Ipv6Addr::UNSPECIFIED.into()) {
            Err(error) if is_without_ipv6(&error) => self.bind_to(Ipv4Addr::UNSPECIFIED.into()),
            bound => bound,
        }
    }

    fn bind_to(self, address: IpAddr) -> io::Result<TcpListener> {
        let socket = match address {
            IpAddr::V4(_) => TcpSocket::new_v4()?,
            IpAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if self.address.is_none() && address.is_ipv6() {
            setsockopt(&socket, Ipv6V6Only, &false)?;
        }
        // Connections of an earlier run, which the kernel remembers for a minute, take no port.
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::new(address, self.port.get()))?;
        socket.listen(BACKLOG)
    }
}

fn is_without_ipv6(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_as_it_is_written() {
        for text in [":8474", "127.0.0.1:8474", "[::1]:8474", "[::]:1"] {
            let listen: Listen = text.parse().unwrap();
            assert_eq!(listen.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            ":",
            "8474",
            ":0",
            "::1:8474",
            "localhost:8474",
            ":65536",
            "127.0.0.1",
        ] {
            assert_eq!(text.parse::<Listen>(), Err(NotListen), "{text}");
        }
    }
}
