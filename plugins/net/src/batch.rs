// SPDX-License-Identifier: Apache-2.0
//! Many changes at once. They go to the kernel some hundred by one send; it
//! carries them out in order, each for itself: this is no transaction. Only the
//! last of a send is acknowledged, since refusals come unasked. A batch of
//! netlink-proto needs an acknowledgement of each, and takes twice the time.

use std::{fmt, io};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkBuffer,
    NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::Socket;
use nix::libc::{ENOBUFS, MSG_DONTWAIT};

use crate::error::Cause;
use crate::rtnl::verdict;
use crate::{Error, FdbEntry, Neighbour, RouteEntry, Rtnl, fdb, neighbour};

/// One change of a batch. Displays as what is wished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Adds a route. Refused with `EEXIST` when there is one to the same
    /// destination with the same metric, whoever made that. Equal to `ip route
    /// add`.
    AddRoute(RouteEntry),
    /// Adds a route, or puts it in the place of one to the same destination with
    /// the same metric, whoever made that. Equal to `ip route replace`.
    ReplaceRoute(RouteEntry),
    /// Deletes a route that is like this one in protocol, table and all that is
    /// said of it; `ESRCH` when there is none. Equal to `ip route del`.
    DeleteRoute(RouteEntry),
    /// Makes a permanent neighbour, whatever was known of that address. Equal to
    /// `ip neighbour replace ADDRESS lladdr MAC dev DEV nud permanent`.
    SetNeighbour(Neighbour),
    /// Deletes a neighbour, whatever its MAC address; `ENOENT` when there is
    /// none. Equal to `ip neighbour del ADDRESS dev DEV`.
    DeleteNeighbour(Neighbour),
    /// Makes an entry of a VXLAN device's forwarding database the only one for
    /// its MAC address. Equal to `bridge fdb replace MAC dev DEV dst ADDRESS`.
    SetFdb(FdbEntry),
    /// Deletes an entry with that MAC address and that destination; `ENOENT`
    /// when there is none. Equal to `bridge fdb del MAC dev DEV dst ADDRESS`.
    DeleteFdb(FdbEntry),
}

impl Rtnl {
    /// Carries out changes in this order and says of each what came of it, in
    /// the same order. A refused one does not keep the others from being tried.
    ///
    /// # Errors
    /// Each change its own; [`Error::is_answer_lost`] for one of which nobody
    /// knows: look what is there.
    pub fn apply(&self, requests: &[Request]) -> Vec<Result<(), Error>> {
        let mut outcomes = Vec::with_capacity(requests.len());
        let mut send = Send::default();
        self.with_socket(|socket| {
            let limit = limit(socket);
            while let Some(rest) = requests
                .get(outcomes.len()..)
                .filter(|rest| !rest.is_empty())
            {
                let count = send.fill(rest, limit);
                let results = send.exchange(socket, count).into_iter().zip(rest);
                outcomes.extend(results.map(|(result, request)| {
                    result.map_err(|cause| cause.during(format!("cannot {request}")))
                }));
            }
        });
        outcomes
    }
}

impl Request {
    fn message(&self) -> (RouteNetlinkMessage, u16) {
        use RouteNetlinkMessage::{DelNeighbour, DelRoute, NewNeighbour, NewRoute};
        const REPLACE: u16 = NLM_F_CREATE | NLM_F_REPLACE;
        match self {
            Self::AddRoute(entry) => (NewRoute(entry.to_add()), NLM_F_CREATE | NLM_F_EXCL),
            Self::ReplaceRoute(entry) => (NewRoute(entry.to_add()), REPLACE),
            Self::DeleteRoute(entry) => (DelRoute(entry.to_delete()), 0),
            Self::SetNeighbour(it) => (NewNeighbour(neighbour::encode(it)), REPLACE),
            Self::DeleteNeighbour(it) => (DelNeighbour(neighbour::encode(it)), 0),
            Self::SetFdb(entry) => (NewNeighbour(fdb::encode(entry)), REPLACE),
            Self::DeleteFdb(entry) => (DelNeighbour(fdb::encode(entry)), 0),
        }
    }

    fn write(&self, sequence: u32, bytes: &mut Vec<u8>) {
        let (request, flags) = self.message();
        let mut message = NetlinkMessage::from(request);
        message.header.sequence_number = sequence;
        message.header.flags = NLM_F_REQUEST | flags;
        message.finalize();
        let begin = bytes.len();
        bytes.resize(begin + message.buffer_len(), 0);
        message.serialize(&mut bytes[begin..]);
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddRoute(entry) => write!(f, "add the route to {}", entry.route),
            Self::ReplaceRoute(entry) => write!(f, "replace the route to {}", entry.route),
            Self::DeleteRoute(entry) => write!(f, "delete the route to {}", entry.route),
            Self::SetNeighbour(Neighbour { ip, mac, .. }) => {
                write!(f, "make {ip} the neighbour {mac}")
            }
            Self::DeleteNeighbour(it) => write!(f, "delete the neighbour {}", it.ip),
            Self::SetFdb(FdbEntry { mac, dst, .. }) => write!(f, "forward {mac} to {dst}"),
            Self::DeleteFdb(FdbEntry { mac, dst, .. }) => {
                write!(f, "stop forwarding {mac} to {dst}")
            }
        }
    }
}

/// The requests of one send have consecutive sequence numbers from here on, far
/// from those that netlink-proto gives on the same socket.
const FIRST: u32 = 1 << 31;

/// At most so many requests, in about so many bytes, go by one send.
const REQUESTS: usize = 256;
const BYTES: usize = 32 * 1024;

/// The longest answer: its text is a sentence, and the request is not in it.
const ANSWER: usize = 4096;

/// What a refusal takes of the receive buffer, the kernel's own share included.
const REFUSAL: usize = 1024;

/// So many requests that even if all are refused their answers are not lost.
fn limit(socket: &Socket) -> usize {
    let room = socket.get_rx_buf_sz().unwrap_or(REFUSAL);
    (room / REFUSAL).clamp(1, REQUESTS)
}

/// The requests of one send.
#[derive(Default)]
struct Send {
    bytes: Vec<u8>,
}

impl Send {
    /// Takes in as many of these requests as go by one send, and says how many.
    fn fill(&mut self, requests: &[Request], limit: usize) -> usize {
        self.bytes.clear();
        let (mut count, mut last) = (0, 0);
        for (request, sequence) in requests.iter().take(limit).zip(FIRST..) {
            if self.bytes.len() > BYTES {
                break;
            }
            last = self.bytes.len();
            request.write(sequence, &mut self.bytes);
            count += 1;
        }
        let mut last = NetlinkBuffer::new(&mut self.bytes[last..]);
        last.set_flags(last.flags() | NLM_F_ACK);
        count
    }

    fn exchange(&self, socket: &Socket, count: usize) -> Vec<Result<(), Cause>> {
        match socket.send(&self.bytes, MSG_DONTWAIT) {
            Ok(_) => answers(socket, count),
            Err(e) => {
                let errno = e.raw_os_error();
                let cause =
                    || errno.map_or(Cause::Silent, |n| io::Error::from_raw_os_error(n).into());
                (0..count).map(|_| Err(cause())).collect()
            }
        }
    }
}

/// Reads what the kernel has answered to so many requests. It answers in order:
/// once it has answered the last one, those it did not mention are granted.
fn answers(socket: &Socket, count: usize) -> Vec<Result<(), Cause>> {
    let mut outcomes: Vec<Option<Result<(), Cause>>> = (0..count).map(|_| None).collect();
    let mut lost = false;
    while outcomes.last().is_some_and(Option::is_none) {
        match answer(socket) {
            Ok(Some((sequence, verdict))) => {
                let index = usize::try_from(sequence.wrapping_sub(FIRST));
                if let Some(outcome) = index.ok().and_then(|index| outcomes.get_mut(index)) {
                    *outcome = Some(verdict);
                }
            }
            Ok(None) => {}
            Err(e) if e.raw_os_error() == Some(ENOBUFS) => lost = true,
            Err(_) => break,
        }
    }
    let finished = outcomes.last().is_some_and(Option::is_some);
    let unmentioned = || match (lost, finished) {
        (true, _) => Err(Cause::Lost),
        (false, false) => Err(Cause::Silent),
        (false, true) => Ok(()),
    };
    let outcomes = outcomes.into_iter();
    outcomes
        .map(|outcome| outcome.unwrap_or_else(unmentioned))
        .collect()
}

/// One answer: the sequence number of its request, and what came of that.
fn answer(socket: &Socket) -> io::Result<Option<(u32, Result<(), Cause>)>> {
    let mut buffer = [0; ANSWER];
    let (length, _) = socket.recv_from(&mut &mut buffer[..], MSG_DONTWAIT)?;
    let bytes = &buffer[..length.min(ANSWER)];
    let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes);
    Ok(message.ok().and_then(|message| {
        let (header, payload) = message.into_parts();
        match payload {
            NetlinkPayload::Error(error) => {
                Some((header.sequence_number, verdict(&header, &error)))
            }
            _ => None,
        }
    }))
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
