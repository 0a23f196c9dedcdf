// SPDX-License-Identifier: Apache-2.0
//! One rtnetlink socket and two ways of talking over it: get one object, change
//! something. Lists and changes in number have ways of their own. The executor is a loop of two rounds: the first
//! sends, and the kernel answers inside the send, the second reads.

use std::cell::RefCell;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::{fmt, io};

use futures::{FutureExt, Stream};
use netlink_packet_core::{
    ErrorMessage, NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_ECHO, NLM_F_REQUEST, NetlinkHeader,
    NetlinkMessage, NetlinkPayload, NlasIterator,
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
        let (connection, handle, _notifications) = rtnetlink::from_socket(socket);
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
        self.exchange(request, 0)
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
        self.exchange(request, NLM_F_ACK | NLM_F_ECHO | flags)
    }

    fn exchange(
        &self,
        request: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<Vec<RouteNetlinkMessage>, Cause> {
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
        let mut answer = Vec::new();
        for _round in ["send", "read"] {
            if connection.poll_unpin(&mut cx).is_ready() {
                let failure = connection.socket_mut().failure();
                return Err(failure.map_or(Cause::Silent, Cause::from));
            }
            while let Poll::Ready(reply) = replies.as_mut().poll_next(&mut cx) {
                match reply {
                    Some(reply) => answer.extend(object(reply)?),
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

/// The object in a message of the kernel's, if it is about one.
fn object(
    reply: NetlinkMessage<RouteNetlinkMessage>,
) -> Result<Option<RouteNetlinkMessage>, Cause> {
    let (header, payload) = reply.into_parts();
    match payload {
        NetlinkPayload::InnerMessage(message) => Ok(Some(message)),
        NetlinkPayload::Error(error) => verdict(&header, &error).map(|()| None),
        NetlinkPayload::Overrun(_) => Err(Cause::Lost),
        _ => Ok(None),
    }
}

/// What an acknowledgement says of the request.
pub(crate) fn verdict(header: &NetlinkHeader, error: &ErrorMessage) -> Result<(), Cause> {
    if error.code.is_none() {
        return Ok(());
    }
    // The header of the request comes first (`NETLINK_CAP_ACK` leaves the rest of
    // it out).
    const REQUEST_HEADER: usize = 16;
    let explained = header.flags & NLM_F_ACK_TLVS != 0;
    let attributes = error.header.get(REQUEST_HEADER..);
    Err(refused(error.raw_code(), attributes.filter(|_| explained)))
}

/// A refusal by its code, with the attributes of an extended acknowledgement.
pub(crate) fn refused(code: i32, attributes: Option<&[u8]>) -> Cause {
    Cause::Refused {
        errno: Errno::from_raw(code.wrapping_neg()),
        text: attributes.and_then(text),
    }
}

/// `NLMSGERR_ATTR_MSG` (include/uapi/linux/netlink.h).
const ATTR_MSG: u16 = 1;

fn text(attributes: &[u8]) -> Option<String> {
    let message = NlasIterator::new(attributes)
        .flatten()
        .find(|nla| nla.kind() == ATTR_MSG)?;
    let text = String::from_utf8_lossy(message.value());
    Some(text.trim_end_matches('\0').to_owned())
}

#[cfg(test)]
#[path = "rtnl_tests.rs"]
mod tests;
