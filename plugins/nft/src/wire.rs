// SPDX-License-Identifier: Apache-2.0
//! Netlink framing for nf_tables: messages and attributes, written and read.
//!
//! Source: linux/netlink.h, linux/netfilter/nfnetlink.h. Headers are in the host's byte order,
//! numbers inside nf_tables attributes in network byte order.

use nix::errno::Errno;

/// `NLM_F_REQUEST`.
pub(crate) const REQUEST: u16 = 0x1;
/// `NLM_F_ACK`.
pub(crate) const ACK: u16 = 0x4;
/// `NLM_F_ROOT | NLM_F_MATCH`: all objects that match.
pub(crate) const DUMP: u16 = 0x300;
/// `NLM_F_CREATE`.
pub(crate) const CREATE: u16 = 0x400;
/// `NLM_F_EXCL` with `NLM_F_CREATE`: the object must be new.
pub(crate) const EXCLUSIVE: u16 = 0x200;
/// `NLM_F_APPEND`: behind the other rules of the chain.
pub(crate) const APPEND: u16 = 0x800;
/// `NLM_F_NONREC`: delete only if nothing is inside.
pub(crate) const NOT_RECURSIVE: u16 = 0x100;

/// `NLMSG_ERROR`: an acknowledgement or an error.
const KIND_ERROR: u16 = 2;
/// `NLMSG_DONE`: the end of a dump.
const KIND_DONE: u16 = 3;
/// `NLM_F_DUMP_INTR`: the ruleset changed during the dump.
const INTERRUPTED: u16 = 0x10;
const CAPPED: u16 = 0x100;
const ACK_TLVS: u16 = 0x200;
const EXT_ACK_TEXT: u16 = 1;
const NESTED: u16 = 0x8000;
const KIND_MASK: u16 = 0x3fff;
const HEADER: usize = 16;
/// `struct nfgenmsg`, in front of each object's attributes.
const GENERIC: usize = 4;

/// The two headers of one message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    pub(crate) family: u8,
    /// `res_id`: the subsystem for batch messages, else 0.
    pub(crate) resource: u16,
}

/// Messages or attributes being written, one behind the other.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Writer {
    buffer: Vec<u8>,
}

impl Writer {
    pub(crate) fn message(&mut self, header: Header, body: impl FnOnce(&mut Writer)) {
        let start = self.buffer.len();
        self.buffer.extend([0; 4]);
        self.buffer.extend(header.kind.to_ne_bytes());
        self.buffer.extend((header.flags | REQUEST).to_ne_bytes());
        self.buffer.extend(header.sequence.to_ne_bytes());
        self.buffer.extend([0; 4]);
        self.buffer.extend([header.family, 0]);
        self.buffer.extend(header.resource.to_be_bytes());
        body(self);
        let length = u32::try_from(self.buffer.len() - start).expect("a message below 4 GiB");
        self.buffer[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }

    pub(crate) fn bytes(&mut self, kind: u16, payload: &[u8]) {
        self.attribute(kind, |w| w.buffer.extend(payload));
    }

    /// A NUL-terminated string.
    pub(crate) fn text(&mut self, kind: u16, text: &str) {
        self.attribute(kind, |w| {
            w.buffer.extend(text.as_bytes());
            w.buffer.push(0);
        });
    }

    pub(crate) fn number(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_be_bytes());
    }

    pub(crate) fn nested(&mut self, kind: u16, body: impl FnOnce(&mut Writer)) {
        self.attribute(kind | NESTED, body);
    }

    fn attribute(&mut self, kind: u16, body: impl FnOnce(&mut Writer)) {
        let start = self.buffer.len();
        self.buffer.extend([0; 2]);
        self.buffer.extend(kind.to_ne_bytes());
        body(self);
        let length = u16::try_from(self.buffer.len() - start)
            .expect("names, keys, comments and expressions stay far below 64 KiB");
        self.buffer[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.buffer.resize(self.buffer.len().next_multiple_of(4), 0);
    }

    /// Adds `flags` to the message that begins at `start`.
    pub(crate) fn add_flags(&mut self, start: usize, flags: u16) {
        let at = start + 6;
        let now = u16::from_ne_bytes([self.buffer[at], self.buffer[at + 1]]);
        self.buffer[at..at + 2].copy_from_slice(&(now | flags).to_ne_bytes());
    }

    /// Adds what another writer holds.
    pub(crate) fn append(&mut self, other: &Writer) {
        self.buffer.extend(&other.buffer);
    }

    pub(crate) fn len(&self) -> usize {
        self.buffer.len()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.buffer
    }
}

/// Why the kernel refused a message: its error number, and its extended-ack text.
pub(crate) type Refusal = (Errno, Option<String>);

/// What one message of an answer says.
#[derive(Debug)]
pub(crate) enum Content<'a> {
    /// An object, by its attributes.
    Object(&'a [u8]),
    /// The end of a dump, or an acknowledgement, or a refusal.
    End(Result<(), Refusal>),
}

/// One message of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    kind: u16,
    flags: u16,
    pub(crate) sequence: u32,
    body: &'a [u8],
}

impl<'a> Answer<'a> {
    /// The message's type: the subsystem, and what happened to which kind of object.
    pub(crate) fn kind(&self) -> u16 {
        self.kind
    }

    /// Whether the ruleset changed during the dump that this belongs to.
    pub(crate) fn interrupted(&self) -> bool {
        self.flags & INTERRUPTED != 0
    }

    pub(crate) fn content(&self) -> Content<'a> {
        if self.kind != KIND_ERROR && self.kind != KIND_DONE {
            return Content::Object(self.body.get(GENERIC..).unwrap_or_default());
        }
        let code = self
            .body
            .first_chunk()
            .map_or(0, |code| i32::from_ne_bytes(*code));
        if code == 0 {
            return Content::End(Ok(()));
        }
        let text = self
            .ext_ack()
            .and_then(|attributes| find(attributes, EXT_ACK_TEXT));
        Content::End(Err((
            Errno::from_raw(code.wrapping_neg()),
            text.map(string),
        )))
    }

    /// Behind the error number stands the refused message: all of it, or its header only.
    fn ext_ack(&self) -> Option<&'a [u8]> {
        if self.kind != KIND_ERROR || self.flags & ACK_TLVS == 0 {
            return None;
        }
        let refused = self.body.get(4..)?;
        let whole = u32::from_ne_bytes(*refused.first_chunk()?);
        let length = if self.flags & CAPPED != 0 {
            HEADER
        } else {
            usize::try_from(whole).ok()?
        };
        refused.get(length.checked_next_multiple_of(4)?..)
    }
}

/// The messages of one datagram.
pub(crate) fn answers(mut datagram: &[u8]) -> impl Iterator<Item = Answer<'_>> {
    std::iter::from_fn(move || {
        let header = datagram.get(..HEADER)?;
        let word = |at: usize| u32::from_ne_bytes([0, 1, 2, 3].map(|i| header[at + i]));
        let half = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
        let length = usize::try_from(word(0)).ok()?;
        let body = datagram.get(HEADER..length)?;
        let answer = Answer {
            kind: half(4),
            flags: half(6),
            sequence: word(8),
            body,
        };
        datagram = datagram
            .get(length.next_multiple_of(4)..)
            .unwrap_or_default();
        Some(answer)
    })
}

/// The attributes of a message, or of a nested attribute, in order.
pub(crate) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    flagged_attributes(bytes).map(|(kind, payload)| (kind & KIND_MASK, payload))
}

fn flagged_attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let header = bytes.get(..4)?;
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]);
        let payload = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, payload))
    })
}

/// Whether each wished attribute is there with the wished content. What is nested is told by the
/// wish: the kernel does not flag it everywhere.
pub(crate) fn contains(have: &[u8], wish: &[u8]) -> bool {
    flagged_attributes(wish).all(|(kind, wished)| {
        find(have, kind & KIND_MASK).is_some_and(|found| {
            if kind & NESTED == 0 {
                found == wished
            } else {
                contains(found, wished)
            }
        })
    })
}

/// The first attribute of a kind.
pub(crate) fn find(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find_map(|(found, payload)| (found == kind).then_some(payload))
}

/// An attribute as a string: up to its first NUL, as every netlink string ends with one.
pub(crate) fn string(payload: &[u8]) -> String {
    let text = payload.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// An attribute as a number.
pub(crate) fn number(payload: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(payload.try_into().ok()?))
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
