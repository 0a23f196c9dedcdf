// SPDX-License-Identifier: Apache-2.0
//! What connection tracking knows of a place's flows: who talks to whom, and as whom. It is asked
//! over netlink (include/uapi/linux/netfilter/nfnetlink_conntrack.h), so that no `conntrack` needs
//! to be installed.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkBuffer, NlasIterator, parse_ip};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};

use crate::place::Place;

/// NFNL_SUBSYS_CTNETLINK, and IPCTNL_MSG_CT_GET of it.
const GET: u16 = 1 << 8 | 1;
/// Octets of `nlmsghdr`, and of `nfgenmsg` behind it.
const HEADERS: [usize; 2] = [16, 4];
/// NLMSG_ERROR and NLMSG_DONE.
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// The kernel fills no datagram of a dump beyond this.
const DATAGRAM: usize = 32 << 10;

/// One tracked flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The protocol's name: `tcp`, `udp`, `icmp`, `icmpv6`; the number of any other.
    pub protocol: String,
    /// Source of the first packet.
    pub source: IpAddr,
    /// Destination of the first packet.
    pub destination: IpAddr,
    /// Source of the answers; another than `destination` when that was translated.
    pub reply_source: IpAddr,
    /// Destination of the answers; another than `source` when that was translated.
    pub reply_destination: IpAddr,
}

impl Flow {
    /// Whether any address of the flow is translated.
    pub fn is_translated(&self) -> bool {
        self.reply_source != self.destination || self.reply_destination != self.source
    }
}

/// The flows that a place's kernel tracks, both families; the same as `conntrack -L`.
///
/// # Panics
/// See the errors of [`list`].
pub fn flows(place: &Place) -> Vec<Flow> {
    list(place).unwrap_or_else(|error| panic!("the kernel does not list its flows: {error}"))
}

/// As [`flows`].
///
/// # Errors
/// When the kernel tracks nothing, or can't tell (it is built without CONFIG_NF_CT_NETLINK).
pub fn list(place: &Place) -> io::Result<Vec<Flow>> {
    place.run(|| {
        let socket = Socket::new(NETLINK_NETFILTER)?;
        socket.send_to(&question(), &SocketAddr::new(0, 0), 0)?;
        let mut flows = Vec::new();
        loop {
            let mut datagram = Vec::with_capacity(DATAGRAM);
            socket.recv(&mut datagram, 0)?;
            if take(&datagram, &mut flows)? {
                return Ok(flows);
            }
        }
    })
}

/// A dump of all families.
fn question() -> Vec<u8> {
    let mut message = vec![0; HEADERS.iter().sum()];
    let length = u32::try_from(message.len()).expect("a question is short");
    let mut header = NetlinkBuffer::new(&mut message);
    header.set_length(length);
    header.set_message_type(GET);
    header.set_flags(NLM_F_REQUEST | NLM_F_DUMP);
    message
}

/// Takes the flows out of a datagram, and says whether it was the last one.
fn take(mut datagram: &[u8], flows: &mut Vec<Flow>) -> io::Result<bool> {
    while !datagram.is_empty() {
        let message = NetlinkBuffer::new_checked(datagram).map_err(io::Error::other)?;
        let content = message.payload();
        match message.message_type() {
            DONE => return Ok(true),
            ERROR => {
                let errno = content.first_chunk().copied().map(i32::from_ne_bytes);
                return Err(io::Error::from_raw_os_error(-errno.unwrap_or_default()));
            }
            _ => flows.extend(content.get(HEADERS[1]..).and_then(flow)),
        }
        let length = message.length().next_multiple_of(4);
        let rest = usize::try_from(length).ok();
        datagram = rest
            .and_then(|rest| datagram.get(rest..))
            .unwrap_or_default();
    }
    Ok(false)
}

/// CTA_TUPLE_ORIG and CTA_TUPLE_REPLY.
fn flow(content: &[u8]) -> Option<Flow> {
    let tuples = attributes(content);
    let [first, reply] = [1, 2].map(|tuple| tuples.get(&tuple).map(|tuple| attributes(tuple)));
    let (first, reply) = (first?, reply?);
    let (source, destination) = ends(&first)?;
    let (reply_source, reply_destination) = ends(&reply)?;
    // CTA_TUPLE_PROTO, and CTA_PROTO_NUM in it.
    let protocol = *attributes(first.get(&2)?).get(&1)?.first()?;
    Some(Flow {
        protocol: match protocol {
            1 => "icmp".to_owned(),
            6 => "tcp".to_owned(),
            17 => "udp".to_owned(),
            58 => "icmpv6".to_owned(),
            other => other.to_string(),
        },
        source,
        destination,
        reply_source,
        reply_destination,
    })
}

/// CTA_TUPLE_IP, and in it CTA_IP_V4_SRC and _DST or CTA_IP_V6_SRC and _DST.
fn ends(tuple: &BTreeMap<u16, Vec<u8>>) -> Option<(IpAddr, IpAddr)> {
    let addresses = attributes(tuple.get(&1)?);
    let either = |kinds: [u16; 2]| {
        let mut found = kinds.iter().filter_map(|kind| addresses.get(kind));
        parse_ip(found.next()?).ok()
    };
    Some((either([1, 3])?, either([2, 4])?))
}

fn attributes(content: &[u8]) -> BTreeMap<u16, Vec<u8>> {
    let attributes = NlasIterator::new(content).filter_map(Result::ok);
    attributes
        .map(|attribute| (attribute.kind(), attribute.value().to_vec()))
        .collect()
}
