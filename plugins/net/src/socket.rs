// SPDX-License-Identifier: Apache-2.0
//! The socket under [`Rtnl`](crate::Rtnl). rtnetlink wants one that belongs to
//! an asynchronous runtime; this one never waits, because an answer lies in the
//! receive queue when the send returns.

use std::cell::Cell;
use std::io;
use std::task::{Context, Poll};

use bytes::BufMut;
use netlink_sys::{AsyncSocket, Socket, SocketAddr};
use nix::libc::MSG_DONTWAIT;

/// A netlink socket that reports "pending" instead of blocking.
pub(crate) struct KernelSocket {
    socket: Socket,
    failure: Cell<Option<io::Error>>,
}

impl KernelSocket {
    /// The error that ended the connection. rtnetlink only says that it ended.
    pub(crate) fn failure(&self) -> Option<io::Error> {
        self.failure.take()
    }

    fn poll<T>(&self, outcome: io::Result<T>) -> Poll<io::Result<T>> {
        match outcome {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            Err(e) => {
                self.failure
                    .set(e.raw_os_error().map(io::Error::from_raw_os_error));
                Poll::Ready(Err(e))
            }
            ok => Poll::Ready(ok),
        }
    }
}

impl AsyncSocket for KernelSocket {
    fn socket_ref(&self) -> &Socket {
        &self.socket
    }

    fn socket_mut(&mut self) -> &mut Socket {
        &mut self.socket
    }

    fn new(protocol: isize) -> io::Result<Self> {
        Ok(Self {
            socket: Socket::new(protocol)?,
            failure: Cell::new(None),
        })
    }

    fn poll_send(&self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll(self.socket.send(buf, MSG_DONTWAIT))
    }

    fn poll_send_to(
        &self,
        _: &mut Context<'_>,
        buf: &[u8],
        addr: &SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.poll(self.socket.send_to(buf, addr, MSG_DONTWAIT))
    }

    fn poll_recv<B: BufMut>(&self, _: &mut Context<'_>, buf: &mut B) -> Poll<io::Result<()>> {
        self.poll(self.socket.recv(buf, MSG_DONTWAIT).map(drop))
    }

    fn poll_recv_from<B: BufMut>(
        &self,
        _: &mut Context<'_>,
        buf: &mut B,
    ) -> Poll<io::Result<SocketAddr>> {
        self.poll(
            self.socket
                .recv_from(buf, MSG_DONTWAIT)
                .map(|(_, from)| from),
        )
    }

    fn poll_recv_from_full(&self, _: &mut Context<'_>) -> Poll<io::Result<(Vec<u8>, SocketAddr)>> {
        let mut datagram = Vec::with_capacity(DATAGRAM);
        let outcome = self.socket.recv_from(&mut datagram, MSG_DONTWAIT);
        self.poll(outcome.map(|(_, from)| (datagram, from)))
    }
}

/// The kernel's largest datagram is 32 KiB (`netlink_dump` in
/// net/netlink/af_netlink.c).
const DATAGRAM: usize = 64 * 1024;
