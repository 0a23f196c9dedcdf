// SPDX-License-Identifier: Apache-2.0
//! One rtnetlink socket and the three ways of talking over it: get one object,
//! dump many, change something. The executor is a loop of two rounds: the first
//! sends, and the kernel answers inside the send, the second reads.

use std::cell::RefCell;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::{fmt, io};

use futures::{FutureExt, Stream};
use netlink_packet_core::{
    ErrorMessage, NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_ECHO,
    NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload, NlasIterator,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{AsyncSocket, Socket};
use nix::errno::Errno;
use rtnetlink::Handle;

use crate::error::Cause;
use crate::socket::KernelSocket;
use crate::{Error, Netns};

/// A connection to the kernel's links, addresses and routes in one network
/// namespace, the one in which it was opened, wherever its user goes later.
pub struct Rtnl {
    netns: Netns,
    handle: Handle,
    connection: RefCell<netlink_proto::Connection<RouteNetlinkMessage, KernelSocket>>,
}

/// A dump is tried this often when the list changes while it is being read.
const DUMP_ATTEMPTS: usize = 32;

impl Rtnl {
    /// Connects to the namespace that the calling thread is in.
    ///
    /// # Errors
    /// When the socket cannot be opened, or the kernel is older than 4.20.
    pub fn open() -> Result<Self, Error> {
        Self::connect(Netns::current()?)
    }

    /// Connects to another namespace; the thread enters it just for that.
    ///
    /// # Errors
    /// When the namespace cannot be entered, or as for [`Rtnl::open`].
    pub fn open_in(netns: &Netns) -> Result<Self, Error> {
        let same = netns.try_clone()?;
        netns.run(|| Self::connect(same))?
    }

    fn connect(netns: Netns) -> Result<Self, Error> {
        let socket = socket().map_err(|e| Cause::from(e).during("cannot talk to rtnetlink"))?;
        let (mut connection, handle, _notifications) = rtnetlink::from_socket(socket);
        // The end of a dump carries its error and its "interrupted" flag.
        connection.set_forward_done(true);
        Ok(Self {
            netns,
            handle,
            connection: RefCell::new(connection),
        })
    }

    /// The namespace that this is a connection to.
    pub(crate) fn netns(&self) -> &Netns {
        &self.netns
    }

    /// Lends the socket itself. Between two requests nothing is on its way.
    pub(crate) fn with_socket<T>(&self, f: impl FnOnce(&Socket) -> T) -> T {
        f(self.connection.borrow_mut().socket_mut().socket_ref())
    }

    /// The object that a GET request names.
    pub(crate) fn get(
        &self,
        request: RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, Cause> {
        Ok(self.exchange(request, 0)?.messages)
    }

    /// The objects that match a GET request, all from one moment.
    pub(crate) fn dump(
        &self,
        request: &RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, Cause> {
        steady(|| self.exchange(request.clone(), NLM_F_DUMP))
    }

    /// Has the kernel carry out a request, with further `NLM_F_*` flags.
    pub(crate) fn change(&self, request: RouteNetlinkMessage, flags: u16) -> Result<(), Cause> {
        self.exchange(request, NLM_F_ACK | flags).map(drop)
    }

    /// The same, and what the kernel tells everybody of the change.
    pub(crate) fn change_and_hear(
        &self,
        request: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<Vec<RouteNetlinkMessage>, Cause> {
        Ok(self
            .exchange(request, NLM_F_ACK | NLM_F_ECHO | flags)?
            .messages)
    }

    fn exchange(&self, request: RouteNetlinkMessage, flags: u16) -> Result<Answer, Cause> {
        let mut message = NetlinkMessage::from(request);
        message.header.flags = NLM_F_REQUEST | flags;
        let replies = self
            .handle
            .clone()
            .request(message)
            .map_err(|_| Cause::Silent)?;
        let mut replies = pin!(replies);
        let mut connection = self.connection.borrow_mut();
        let mut cx = Context::from_waker(Waker::noop());
        let mut answer = Answer::default();
        for _round in ["send", "read"] {
            if connection.poll_unpin(&mut cx).is_ready() {
                let failure = connection.socket_mut().failure();
                return Err(failure.map_or(Cause::Silent, Cause::from));
            }
            while let Poll::Ready(reply) = replies.as_mut().poll_next(&mut cx) {
                match reply {
                    Some(reply) => answer.add(reply)?,
                    None => return Ok(answer),
                }
            }
        }
        Err(Cause::Silent)
    }
}

fn socket() -> io::Result<KernelSocket> {
    let kernel = KernelSocket::new(NETLINK_ROUTE)?;
    let socket = kernel.socket_ref();
    socket.set_ext_ack(true)?;
    socket.set_cap_ack(true)?;
    // Without it the kernel ignores the filters of a dump.
    socket.set_netlink_get_strict_chk(true)?;
    Ok(kernel)
}

impl fmt::Debug for Rtnl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rtnl").finish_non_exhaustive()
    }
}

/// What the kernel answered to one request.
#[derive(Default)]
struct Answer {
    messages: Vec<RouteNetlinkMessage>,
    interrupted: bool,
}

impl Answer {
    fn add(&mut self, reply: NetlinkMessage<RouteNetlinkMessage>) -> Result<(), Cause> {
        let (header, payload) = reply.into_parts();
        self.interrupted |= header.flags & NLM_F_DUMP_INTR != 0;
        match payload {
            NetlinkPayload::InnerMessage(message) => self.messages.push(message),
            NetlinkPayload::Error(error) => return verdict(&header, &error),
            NetlinkPayload::Done(done) if done.code < 0 => {
                let text = attribute_text(&done.extended_ack);
                return Err(Cause::Refused {
                    errno: errno(done.code),
                    text,
                });
            }
            NetlinkPayload::Overrun(_) => return Err(Cause::Lost),
            _ => {}
        }
        Ok(())
    }
}

/// Repeats a dump until the kernel says that it was not interrupted. The kernel
/// says so after a change of any object, also of one that the filter leaves out;
/// on a busy host that can be always. What is read twice the same is believed.
fn steady(
    mut dump: impl FnMut() -> Result<Answer, Cause>,
) -> Result<Vec<RouteNetlinkMessage>, Cause> {
    let mut previous = None;
    for _ in 0..DUMP_ATTEMPTS {
        let answer = dump()?;
        if !answer.interrupted || previous.as_ref() == Some(&answer.messages) {
            return Ok(answer.messages);
        }
        previous = Some(answer.messages);
    }
    Err(Cause::Unsteady)
}

/// What an acknowledgement says of the request.
pub(crate) fn verdict(header: &NetlinkHeader, error: &ErrorMessage) -> Result<(), Cause> {
    if error.code.is_none() {
        return Ok(());
    }
    let text = (header.flags & NLM_F_ACK_TLVS != 0)
        .then(|| ext_ack(error))
        .flatten();
    Err(Cause::Refused {
        errno: errno(error.raw_code()),
        text,
    })
}

fn errno(code: i32) -> Errno {
    Errno::from_raw(code.wrapping_neg())
}

/// `NLMSGERR_ATTR_MSG` (include/uapi/linux/netlink.h).
const ATTR_MSG: u16 = 1;

/// The text of an extended acknowledgement: it follows the header of the
/// refused request (`NETLINK_CAP_ACK` leaves the rest of the request out).
fn ext_ack(error: &ErrorMessage) -> Option<String> {
    const REQUEST_HEADER: usize = 16;
    attribute_text(error.header.get(REQUEST_HEADER..)?)
}

fn attribute_text(attributes: &[u8]) -> Option<String> {
    let message = NlasIterator::new(attributes)
        .flatten()
        .find(|nla| nla.kind() == ATTR_MSG)?;
    let text = String::from_utf8_lossy(message.value());
    Some(text.trim_end_matches('\0').to_owned())
}

#[cfg(test)]
#[path = "rtnl_tests.rs"]
mod tests;
