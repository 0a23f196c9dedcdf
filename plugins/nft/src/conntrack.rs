// SPDX-License-Identifier: Apache-2.0
//! What the kernel remembers of connections: asked for, and forgotten (ctnetlink).
//!
//! Source: linux/netfilter/nfnetlink_conntrack.h.

use std::net::{IpAddr, SocketAddr};

use nix::errno::Errno;

use crate::rule::Protocol;
use crate::socket::{Nft, Question};
use crate::wire::{self, Writer};
use crate::{Error, uapi};

const GET: u16 = uapi::CONNTRACK << 8 | 1;
const DELETE: u16 = uapi::CONNTRACK << 8 | 2;
const ORIGINAL: u16 = 1;
const REPLY: u16 = 2;
const ID: u16 = 12;
const ZONE: u16 = 18;
const FILTER: u16 = 25;
const NESTED: u16 = 0x8000;
const UDP: u8 = 17;
/// Members of a tuple.
const ADDRESSES: u16 = 1;
const PORTS: u16 = 2;
const TRANSPORT: u16 = 1;
const SOURCE_PORT: u16 = 2;
const DESTINATION_PORT: u16 = 3;
/// `CTA_FILTER_FLAG(CTA_PROTO_NUM)` and `CTA_FILTER_FLAG(CTA_PROTO_DST_PORT)`, in the host's order.
const BY_TRANSPORT: u32 = 1 << 3;
const BY_DESTINATION_PORT: u32 = 1 << 5;

/// A flow of UDP datagrams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Where its first datagram was sent to.
    pub destination: IpAddr,
    /// The port that it was sent to.
    pub port: u16,
    /// Where the answers come from; another end than that when it was translated.
    pub answers_from: SocketAddr,
    /// The attributes that name the flow.
    identity: Vec<(u16, Vec<u8>)>,
}

/// Forgets the UDP flows to these ports that are stale, so that the next datagram begins a new one.
///
/// The kernel goes through its whole memory once, which may take 10 ms, and tells of UDP flows, to the
/// port if it is one (since Linux 5.8; before, of all flows).
pub fn forget_udp(
    nft: &mut Nft,
    protocol: Protocol,
    ports: &[u16],
    stale: impl Fn(&Flow) -> bool,
) -> Result<(), Error> {
    let wish = format!("look for UDP flows to {ports:?}");
    let question = Question {
        kind: GET,
        family: protocol.number(),
        wish: &wish,
    };
    let read = |attributes: &[u8], flows: &mut Vec<Flow>| flows.extend(read_flow(attributes));
    // EINVAL: netfilter knows no such subsystem and cannot load it.
    let flows = nft
        .dump(&question, |w| write_filter(w, ports), read)
        .map_err(|error| error.unsupported_if(&[Errno::EINVAL, Errno::EOPNOTSUPP]))?;
    let chosen = |flow: &&Flow| ports.contains(&flow.port) && stale(flow);
    for flow in flows.iter().filter(chosen) {
        forget(nft, protocol, flow)?;
    }
    Ok(())
}

/// One that ended meanwhile is forgotten already.
fn forget(nft: &mut Nft, protocol: Protocol, flow: &Flow) -> Result<(), Error> {
    let wish = format!("forget a UDP flow to {}:{}", flow.destination, flow.port);
    let question = Question {
        kind: DELETE,
        family: protocol.number(),
        wish: &wish,
    };
    nft.order(&question, |w| {
        for (kind, payload) in &flow.identity {
            w.bytes(*kind, payload);
        }
    })
}

fn write_filter(w: &mut Writer, ports: &[u16]) {
    let mut flags = BY_TRANSPORT;
    w.nested(ORIGINAL, |w| {
        w.nested(PORTS, |w| {
            w.bytes(TRANSPORT, &[UDP]);
            if let [port] = ports {
                flags |= BY_DESTINATION_PORT;
                w.bytes(DESTINATION_PORT, &port.to_be_bytes());
            }
        });
    });
    w.nested(FILTER, |w| {
        w.bytes(1, &flags.to_ne_bytes());
        w.bytes(2, &0_u32.to_ne_bytes());
    });
}

fn read_flow(attributes: &[u8]) -> Option<Flow> {
    let original = wire::find(attributes, ORIGINAL)?;
    let reply = wire::find(attributes, REPLY)?;
    let ports = wire::find(original, PORTS)?;
    if wire::find(ports, TRANSPORT)? != [UDP] {
        return None;
    }
    let mut identity = vec![(ORIGINAL | NESTED, original.to_vec())];
    for kind in [ID, ZONE] {
        identity.extend(wire::find(attributes, kind).map(|payload| (kind, payload.to_vec())));
    }
    let answerer = address(reply, [1, 3])?;
    Some(Flow {
        destination: address(original, [2, 4])?,
        port: port(ports, DESTINATION_PORT)?,
        answers_from: SocketAddr::new(answerer, port(wire::find(reply, PORTS)?, SOURCE_PORT)?),
        identity,
    })
}

/// The address of a tuple that has one of two numbers: one for IPv4, one for IPv6.
fn address(tuple: &[u8], kinds: [u16; 2]) -> Option<IpAddr> {
    let addresses = wire::find(tuple, ADDRESSES)?;
    let [v4, v6] = kinds.map(|kind| wire::find(addresses, kind));
    match (v4, v6) {
        (Some(octets), _) => Some(<[u8; 4]>::try_from(octets).ok()?.into()),
        (None, Some(octets)) => Some(<[u8; 16]>::try_from(octets).ok()?.into()),
        (None, None) => None,
    }
}

fn port(ports: &[u8], kind: u16) -> Option<u16> {
    let octets = wire::find(ports, kind)?.try_into().ok()?;
    Some(u16::from_be_bytes(octets))
}
