// SPDX-License-Identifier: Apache-2.0
//! Servers that tell a client which address they see as its own, by UDP and TCP on the same port.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::place::Place;

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// A server that answers with its client's address, until it is dropped.
#[derive(Debug)]
pub struct Echo {
    address: SocketAddr,
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Echo {
    /// Starts a server on one of a place's addresses, or on all with an unspecified one.
    ///
    /// # Panics
    /// When the place has no such address, or the port is taken.
    pub fn start(place: &Place, address: IpAddr, port: u16) -> Self {
        let address = SocketAddr::new(address, port);
        let sockets = place.run(|| Ok((UdpSocket::bind(address)?, TcpListener::bind(address)?)));
        let (udp, tcp) = sockets.unwrap_or_else(|error: io::Error| panic!("{address}: {error}"));
        let (stop, stopped) = UnixStream::pair().expect("a socket pair can be made");
        let thread = std::thread::spawn(move || serve(&udp, &tcp, &stopped));
        Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            assert!(
                matches!(ended, Some(Ok(Ok(())))),
                "the server failed: {ended:?}"
            );
        }
    }
}

/// Connects from a place by TCP and returns the client's address as the server saw it.
///
/// # Errors
/// When the server could not be reached, or did not answer within two seconds.
pub fn ask_tcp(from: &Place, server: SocketAddr) -> io::Result<SocketAddr> {
    from.run(|| {
        let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        answer.parse().map_err(io::Error::other)
    })
}

/// Sends one datagram from a place and returns the client's address as the server saw it.
///
/// # Errors
/// When no answer came within two seconds.
pub fn ask_udp(from: &Place, server: SocketAddr) -> io::Result<SocketAddr> {
    from.run(|| {
        let any: IpAddr = if server.is_ipv4() {
            [0; 4].into()
        } else {
            [0_u16; 8].into()
        };
        let socket = UdpSocket::bind((any, 0))?;
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

fn serve(udp: &UdpSocket, tcp: &TcpListener, stopped: &UnixStream) -> io::Result<()> {
    loop {
        let mut waiting = [stopped.as_fd(), udp.as_fd(), tcp.as_fd()]
            .map(|socket| PollFd::new(socket, PollFlags::POLLIN));
        poll(&mut waiting, PollTimeout::NONE)?;
        let [stopped, datagram, connection] = waiting.map(|fd| fd.any().unwrap_or(true));
        if stopped {
            return Ok(());
        }
        // A client to which no route leads gets no answer; the next one may.
        if datagram {
            let (_, client) = udp.recv_from(&mut [0; 64])?;
            udp.send_to(client.to_string().as_bytes(), client).ok();
        }
        if connection {
            let (mut stream, client) = tcp.accept()?;
            stream.write_all(client.to_string().as_bytes()).ok();
        }
    }
}
