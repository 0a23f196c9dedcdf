// SPDX-License-Identifier: Apache-2.0
//! Lists of objects. Each message becomes what its reader wants of it as soon as
//! it is received: of thousands of peers nobody needs all messages at once.

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer,
    NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::Socket;
use nix::libc::MSG_DONTWAIT;

use crate::Rtnl;
use crate::error::Cause;
use crate::rtnl::{refused, verdict};

/// A dump is tried this often when the list changes while it is being read.
const DUMP_ATTEMPTS: usize = 32;

/// The kernel's largest datagram is 32 KiB (`netlink_dump` in
/// net/netlink/af_netlink.c).
const DATAGRAM: usize = 64 * 1024;

/// Far from the numbers that netlink-proto gives on the same socket.
const SEQUENCE: u32 = 1 << 30;

/// What the kernel answered to one request for a list.
#[derive(Debug)]
struct Answer<T> {
    objects: Vec<T>,
    interrupted: bool,
}

impl Rtnl {
    /// What `read` makes of the objects that match a GET request, all from one
    /// moment. It is given a message without its header (`struct nlmsghdr`).
    pub(crate) fn dump<T: PartialEq, I: IntoIterator<Item = T>>(
        &self,
        request: RouteNetlinkMessage,
        read: impl Fn(&[u8]) -> I,
    ) -> Result<Vec<T>, Cause> {
        let mut message = NetlinkMessage::from(request);
        message.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        message.header.sequence_number = SEQUENCE;
        message.finalize();
        let mut request = vec![0; message.buffer_len()];
        message.serialize(&mut request);
        steady(|| {
            self.with_socket(|socket| {
                socket.send(&request, MSG_DONTWAIT)?;
                listen(socket, &read)
            })
        })
    }
}

/// Receives to the end of a dump. The kernel goes on with it in each reception.
fn listen<T, I: IntoIterator<Item = T>>(
    socket: &Socket,
    read: impl Fn(&[u8]) -> I,
) -> Result<Answer<T>, Cause> {
    let mut answer = Answer {
        objects: Vec::new(),
        interrupted: false,
    };
    let mut datagram = vec![0; DATAGRAM];
    loop {
        let length = socket.recv(&mut &mut datagram[..], MSG_DONTWAIT)?;
        if answer.add(&datagram[..length.min(DATAGRAM)], &read)? {
            return Ok(answer);
        }
    }
}

impl<T> Answer<T> {
    /// Takes in a datagram, and says whether it was the last one.
    fn add<I: IntoIterator<Item = T>>(
        &mut self,
        mut datagram: &[u8],
        read: impl Fn(&[u8]) -> I,
    ) -> Result<bool, Cause> {
        while !datagram.is_empty() {
            let message = NetlinkBuffer::new_checked(datagram).map_err(|_| Cause::Silent)?;
            let ours = message.sequence_number() == SEQUENCE;
            self.interrupted |= ours && message.flags() & NLM_F_DUMP_INTR != 0;
            match message.message_type() {
                _ if !ours => {}
                NLMSG_DONE | NLMSG_ERROR => return end(datagram).map(|()| true),
                _ => self.objects.extend(read(message.payload())),
            }
            let length = usize::try_from(message.length()).unwrap_or(usize::MAX);
            datagram = datagram
                .get(length.next_multiple_of(4)..)
                .unwrap_or_default();
        }
        Ok(false)
    }
}

/// What the last message of a dump says of the whole.
fn end(message: &[u8]) -> Result<(), Cause> {
    let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(message);
    let (header, payload) = message.map_err(|_| Cause::Silent)?.into_parts();
    match payload {
        NetlinkPayload::Error(error) => verdict(&header, &error),
        NetlinkPayload::Done(done) if done.code < 0 => {
            Err(refused(done.code, Some(&done.extended_ack)))
        }
        _ => Ok(()),
    }
}

/// Repeats a dump until the kernel says that it was not interrupted. The kernel
/// says so after a change of any object, also of one that the filter leaves out;
/// on a busy host that can be always. What is read twice the same is believed.
fn steady<T: PartialEq>(
    mut dump: impl FnMut() -> Result<Answer<T>, Cause>,
) -> Result<Vec<T>, Cause> {
    let mut previous = None;
    for _ in 0..DUMP_ATTEMPTS {
        let answer = dump()?;
        if !answer.interrupted || previous.as_ref() == Some(&answer.objects) {
            return Ok(answer.objects);
        }
        previous = Some(answer.objects);
    }
    Err(Cause::Unsteady)
}

#[cfg(test)]
#[path = "dump_tests.rs"]
mod tests;
