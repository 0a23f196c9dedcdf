// SPDX-License-Identifier: Apache-2.0
//! Hearing of changes. What is told is that something changed, not what: who
//! keeps a state right looks at the state, and a notification that was lost on
//! the way then costs nothing.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_ROUTE;
use nix::errno::Errno;
use nix::libc::{self, MSG_DONTWAIT};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rtnetlink::MulticastGroup;

use crate::error::Cause;
use crate::{Error, Netns};

/// A subscription to the changes of one network namespace. Equal to `ip
/// monitor`.
///
/// Its descriptor is readable when there is something to [`Monitor::drain`].
pub struct Monitor {
    socket: Socket,
}

/// Of what kinds something changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// A link came, went, or changed.
    pub links: bool,
    /// An address came, went, or changed.
    pub addresses: bool,
    /// A route came, went, or changed. Not told by the kernel of IPv4 routes
    /// that go because their link went down: that is told of the link.
    pub routes: bool,
    /// A neighbour or an entry of a forwarding database came, went, or changed.
    pub neighbours: bool,
    /// More was to be told than the socket could hold: anything may have changed.
    pub overrun: bool,
}

/// One change, as far as it can be told apart without reading all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Of the link with this index.
    Link(u32),
    /// Of an address of the link with this index.
    Address(u32),
    /// Of a route that this protocol made.
    Route(u8),
    /// Of a neighbour on, or a forwarding entry of, the link with this index.
    Neighbour(u32),
}

impl Monitor {
    /// Subscribes to the changes of links, addresses, routes and neighbours in
    /// the namespace that the calling thread is in.
    ///
    /// # Errors
    /// When the socket cannot be opened.
    pub fn open() -> Result<Self, Error> {
        use MulticastGroup::{Ipv4Ifaddr, Ipv4Route, Ipv6Ifaddr, Ipv6Route, Link, Neigh};
        Self::of(&[Link, Neigh, Ipv4Ifaddr, Ipv6Ifaddr, Ipv4Route, Ipv6Route])
    }

    /// The same for another namespace; the thread enters it just for that.
    ///
    /// # Errors
    /// When the namespace cannot be entered, or as for [`Monitor::open`].
    pub fn open_in(netns: &Netns) -> Result<Self, Error> {
        netns.run(Self::open)?
    }

    /// Subscribes to some groups in the namespace of the calling thread.
    pub(crate) fn of(groups: &[MulticastGroup]) -> Result<Self, Error> {
        let subscribe = || {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind_auto()?;
            for group in groups {
                socket.add_membership(*group as u32)?;
            }
            Ok(Self { socket })
        };
        subscribe().map_err(|e: io::Error| failed(Cause::from(e)))
    }

    /// Waits until there is something to drain, but not longer than `limit`.
    /// Returns early on a signal.
    ///
    /// # Errors
    /// When the kernel cannot wait.
    pub fn wait(&self, limit: Duration) -> Result<(), Error> {
        // Rounded up: less than a millisecond must not become none.
        let limit =
            PollTimeout::try_from(limit + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(self.as_fd(), PollFlags::POLLIN)], limit) {
            Err(Errno::EINTR) | Ok(_) => Ok(()),
            Err(errno) => Err(failed(errno.into())),
        }
    }

    /// What has changed since the last time. Never waits.
    pub fn drain(&self) -> Events {
        self.drain_where(|_| true)
    }

    /// The same, of the changes that `wanted` wants. An overrun is always told.
    pub fn drain_where(&self, mut wanted: impl FnMut(Event) -> bool) -> Events {
        let mut events = Events::default();
        loop {
            let mut beginning = [0; BEGINNING];
            match self.socket.recv(&mut &mut beginning[..], MSG_DONTWAIT) {
                Ok(_) => {
                    if let Some(event) = read(&beginning).filter(|event| wanted(*event)) {
                        events.note(event);
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return events,
                Err(e) => {
                    events.overrun = true;
                    if e.raw_os_error() != Some(libc::ENOBUFS) {
                        return events;
                    }
                }
            }
        }
    }
}

impl Events {
    /// Whether nothing has changed.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Link(_) => self.links = true,
            Event::Address(_) => self.addresses = true,
            Event::Route(_) => self.routes = true,
            Event::Neighbour(_) => self.neighbours = true,
        }
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Monitor {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Monitor").finish_non_exhaustive()
    }
}

fn failed(cause: Cause) -> Error {
    cause.during("cannot wait for notifications of the kernel")
}

/// `struct nlmsghdr` and as much of what follows as tells notifications apart;
/// the kernel sends each by itself.
const BEGINNING: usize = 24;

fn read(message: &[u8; BEGINNING]) -> Option<Event> {
    use libc::{RTM_DELADDR, RTM_DELLINK, RTM_DELNEIGH, RTM_DELROUTE};
    use libc::{RTM_NEWADDR, RTM_NEWLINK, RTM_NEWNEIGH, RTM_NEWROUTE};
    let [_, _, _, _, k0, k1, ..] = *message;
    let [.., i0, i1, i2, i3] = *message;
    let index = u32::from_ne_bytes([i0, i1, i2, i3]);
    match u16::from_ne_bytes([k0, k1]) {
        RTM_NEWLINK | RTM_DELLINK => Some(Event::Link(index)),
        RTM_NEWADDR | RTM_DELADDR => Some(Event::Address(index)),
        RTM_NEWNEIGH | RTM_DELNEIGH => Some(Event::Neighbour(index)),
        // `struct rtmsg` has the table, the protocol, the scope, and the type.
        RTM_NEWROUTE | RTM_DELROUTE => Some(Event::Route(i1)),
        _ => None,
    }
}
