// SPDX-License-Identifier: Apache-2.0
//! Word of changes to what Podwire has in the ruleset, so that what others removed can be made again.

use std::os::fd::{AsFd, BorrowedFd};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use nix::errno::Errno;
use nix::libc::MSG_DONTWAIT;

use crate::error::Error;
use crate::iptables::{FILTER, FORWARD};
use crate::uapi::{SUBSYSTEM, attribute as nfta, verb};
use crate::wire::{self, Answer, Content};

/// `NFNLGRP_NFTABLES`: every change, each transaction closed by an `NFT_MSG_NEWGEN`.
const GROUP: u32 = 7;
/// What the name of each of our tables begins with.
const OURS: &str = "podwire";
const BUFFER: usize = 16 << 10;

/// A subscription to the changes of one network namespace's ruleset. Its descriptor is readable when
/// there is something to [drain](Monitor::drain).
#[derive(Debug)]
pub struct Monitor {
    socket: Socket,
    received: Vec<u8>,
}

impl Monitor {
    /// Subscribes to the ruleset of the calling thread's network namespace. What is read from the
    /// ruleset after this is either current or followed by a word of its change.
    pub fn open() -> Result<Monitor, Error> {
        let connect = || -> std::io::Result<Socket> {
            let mut socket = Socket::new(NETLINK_NETFILTER)?;
            socket.bind(&SocketAddr::new(0, 0))?;
            socket.add_membership(GROUP)?;
            Ok(socket)
        };
        let socket = connect().map_err(|e| {
            Error::io("subscribe to changes of nf_tables", &e)
                .unsupported_if(&[Errno::EPROTONOSUPPORT])
        })?;
        Ok(Monitor {
            socket,
            received: Vec::with_capacity(BUFFER),
        })
    }

    /// Takes all that has been said, without waiting: whether anybody, this process included,
    /// changed a table whose name begins with `podwire`, or the chain in which packets are let
    /// through ([`forward`](crate::forward)). Also `true` if more was said than the socket holds, as
    /// anything may have changed then.
    pub fn drain(&mut self) -> Result<bool, Error> {
        let mut changed = false;
        loop {
            self.received.clear();
            match self.socket.recv(&mut self.received, MSG_DONTWAIT) {
                Ok(_) => changed |= wire::answers(&self.received).any(|word| is_ours(&word)),
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => return Ok(changed),
                Err(e) if e.raw_os_error() == Some(Errno::ENOBUFS as i32) => changed = true,
                Err(e) => return Err(Error::io("read changes of nf_tables", &e)),
            }
        }
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Whether a word is about one of our tables or something in it, or about a chain of others that has
/// rules of ours: of all kinds of objects the first attribute names the table.
fn is_ours(word: &Answer<'_>) -> bool {
    const TABLE: u16 = 1;
    let generation = SUBSYSTEM << 8 | verb::NEW_GENERATION;
    match word.content() {
        Content::Object(attributes) if word.kind() != generation => {
            let name = wire::find(attributes, TABLE).map(wire::string);
            name.is_some_and(|name| {
                name.starts_with(OURS)
                    || (name == FILTER[0].name && is_about(word.kind(), attributes, FORWARD))
            })
        }
        Content::Object(_) | Content::End(_) => false,
    }
}

/// Whether a word is about a chain of this name, or a rule in one.
fn is_about(kind: u16, attributes: &[u8], chain: &str) -> bool {
    const KINDS: [(u16, u16); 4] = [
        (verb::NEW_CHAIN, nfta::CHAIN_NAME),
        (verb::DELETE_CHAIN, nfta::CHAIN_NAME),
        (verb::NEW_RULE, nfta::RULE_CHAIN),
        (verb::DELETE_RULE, nfta::RULE_CHAIN),
    ];
    let attribute = KINDS.iter().find(|(verb, _)| SUBSYSTEM << 8 | verb == kind);
    attribute.is_some_and(|(_, name)| {
        wire::find(attributes, *name).is_some_and(|name| wire::string(name) == chain)
    })
}
