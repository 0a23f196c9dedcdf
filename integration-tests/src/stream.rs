// SPDX-License-Identifier: Apache-2.0
//! Numbered datagrams, one after the other at a fixed pace: what is lost on the way is never sent
//! again, so a test sees each interruption of a path as it is.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::RcvBuf;

use crate::beginning::PATIENCE;
use crate::place::Place;
use crate::progress::Progress;

/// The bytes that a receiver's kernel keeps; it gives less where it allows less.
const BUFFER: usize = 4 << 20;

/// A sender and a receiver of datagrams.
#[derive(Debug)]
pub struct Stream {
    sent: Progress,
    arrived: Progress,
    stop: Vec<UnixStream>,
    threads: Vec<JoinHandle<()>>,
}

/// What became of the datagrams of a [`Stream`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// How many were given to the sender's kernel, also those that it refused.
    pub sent: u64,
    /// How many arrived.
    pub arrived: u64,
    /// The longest time in which none arrived.
    pub longest_pause: Duration,
}

impl Tally {
    /// How many did not arrive.
    pub fn lost(&self) -> u64 {
        self.sent - self.arrived
    }
}

impl Stream {
    /// Starts to send from `client` to one of the server's addresses, one datagram after each
    /// `pace`, and waits until the first one has arrived.
    ///
    /// # Panics
    /// When the server has no such address, or nothing arrives.
    pub fn start(
        client: &Place,
        server: &Place,
        address: IpAddr,
        port: u16,
        pace: Duration,
    ) -> Self {
        let address = SocketAddr::new(address, port);
        let any: IpAddr = if address.is_ipv4() {
            [0; 4].into()
        } else {
            [0_u16; 8].into()
        };
        let receiver = server.run(|| UdpSocket::bind(address));
        let receiver = receiver.unwrap_or_else(|error| panic!("{address}: {error}"));
        // A receiver that a loaded machine lets wait is no loss.
        setsockopt(&receiver, RcvBuf, &BUFFER).expect("a buffer may be large");
        let sender = client.run(|| UdpSocket::bind((any, 0)));
        let sender = sender.expect("a place has ports to spare");
        let (sent, arrived) = (Progress::new(), Progress::new());
        let [
            (stop_sender, sender_stopped),
            (stop_receiver, receiver_stopped),
        ] = [(), ()].map(|()| UnixStream::pair().expect("a socket pair can be made"));
        let threads = vec![
            thread::spawn({
                let sent = sent.clone();
                move || send(&sender, address, pace, &sent, &sender_stopped)
            }),
            thread::spawn({
                let arrived = arrived.clone();
                move || receive(&receiver, &arrived, &receiver_stopped).unwrap_or_default()
            }),
        ];
        let stream = Self {
            sent,
            arrived,
            stop: vec![stop_receiver, stop_sender],
            threads,
        };
        assert!(stream.wait_for(1, PATIENCE), "nothing arrives at {address}");
        stream
    }

    /// How many have arrived.
    pub fn arrived(&self) -> u64 {
        self.arrived.count()
    }

    /// Whether `more` arrive from now on within `limit`.
    #[must_use]
    pub fn wait_for(&self, more: u64, limit: Duration) -> bool {
        self.arrived.wait_for(more, limit)
    }

    /// Sends no more, waits for what is on its way, and says what became of all.
    pub fn end(mut self) -> Tally {
        let longest_pause = self.arrived.longest_pause();
        drop(self.stop.pop());
        self.threads
            .remove(0)
            .join()
            .expect("the sender ends by itself");
        let sent = self.sent.count();
        self.arrived.wait_until(sent, crate::BRIEFLY);
        Tally {
            sent,
            arrived: self.arrived(),
            longest_pause,
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.stop.clear();
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
    }
}

fn send(socket: &UdpSocket, to: SocketAddr, pace: Duration, sent: &Progress, stopped: &UnixStream) {
    let pace = PollTimeout::try_from(pace).expect("a pace is a few milliseconds");
    loop {
        // Counted first, so that no more can have arrived than were sent. What the kernel refuses,
        // as it knows no way, is lost as well.
        sent.step();
        socket.send_to(&sent.count().to_be_bytes(), to).ok();
        let mut waiting = [PollFd::new(stopped.as_fd(), PollFlags::POLLIN)];
        if poll(&mut waiting, pace) != Ok(0) {
            return;
        }
    }
}

fn receive(socket: &UdpSocket, arrived: &Progress, stopped: &UnixStream) -> io::Result<()> {
    let mut seen = HashSet::new();
    loop {
        let mut waiting =
            [stopped.as_fd(), socket.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        poll(&mut waiting, PollTimeout::NONE)?;
        if waiting[0].any().unwrap_or(true) {
            return Ok(());
        }
        let mut number = [0; 8];
        // An ICMP error of an earlier datagram is no datagram.
        if socket.recv(&mut number).is_ok() && seen.insert(number) {
            arrived.step();
        }
    }
}
