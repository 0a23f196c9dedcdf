// SPDX-License-Identifier: Apache-2.0
//! Which of 65,536 neighbouring addresses are held: a bit each, in a file of the index.
//!
//! Blocks lie where the addresses' last 16 bits are zero, whatever the pools of a configuration
//! are, so that configurations that share a store share them too.

use std::fs::{self, OpenOptions};
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::lease::remove_if_there;
use crate::ranges::Span;

const BYTES: usize = 65_536 / 8;
/// In a file: the number of bits that are set, by which damage is noticed, and the bits.
const HEADER: usize = 4;

/// The bits of one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    bits: Vec<u8>,
    held: u32,
}

impl Block {
    /// A block of which no address is held.
    pub(super) fn empty() -> Self {
        Self {
            bits: vec![0; BYTES],
            held: 0,
        }
    }

    /// Reads a block; without a file nothing is held.
    ///
    /// # Errors
    /// `InvalidData` if the file is not one that [`Block::save`] has written.
    pub(super) fn load(path: &Path) -> io::Result<Self> {
        match fs::read(path) {
            Ok(content) => Self::parse(&content)
                .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "damaged block")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::empty()),
            Err(error) => Err(error),
        }
    }

    /// Writes a block in place: a write that is cut short is known by the index's missing stamp.
    pub(super) fn save(&self, path: &Path) -> io::Result<()> {
        if self.held == 0 {
            return remove_if_there(path);
        }
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        file.set_len((HEADER + BYTES) as u64)?;
        file.write_all_at(
            &[&self.held.to_le_bytes(), self.bits.as_slice()].concat(),
            0,
        )
    }

    pub(super) fn parse(content: &[u8]) -> Option<Self> {
        let (held, bits) = content.split_first_chunk::<HEADER>()?;
        let held = u32::from_le_bytes(*held);
        // Eight bytes at a time, because every operation does it.
        let (words, _) = bits.as_chunks();
        let set: u32 = words
            .iter()
            .map(|word| u64::from_ne_bytes(*word).count_ones())
            .sum();
        (bits.len() == BYTES && set == held).then(|| Self {
            bits: bits.to_vec(),
            held,
        })
    }

    /// Marks an address as held or free; false if it was so already.
    pub(super) fn set(&mut self, address: IpAddr, held: bool) -> bool {
        let place = usize::from(place(address));
        let byte = &mut self.bits[place / 8];
        let bit = 1 << (place % 8);
        if (*byte & bit != 0) == held {
            return false;
        }
        *byte ^= bit;
        self.held = if held { self.held + 1 } else { self.held - 1 };
        true
    }

    /// The lowest free address of a span that lies within this block.
    pub(super) fn first_free(&self, span: Span) -> Option<IpAddr> {
        let (first, last) = (
            usize::from(place(span.first)),
            usize::from(place(span.last)),
        );
        let mut at = first;
        while at <= last {
            let free = !self.bits[at / 8] >> (at % 8);
            if free != 0 {
                let found = at + free.trailing_zeros() as usize;
                return (found <= last)
                    .then(|| at_place(span.first, found))
                    .flatten();
            }
            at = (at / 8 + 1) * 8;
        }
        None
    }
}

/// The file of the block in which an address lies.
pub(super) fn path(index: &Path, address: IpAddr) -> PathBuf {
    index.join(first_of(address).to_string())
}

/// Cuts a span where blocks begin.
pub(super) fn parts(span: Span) -> impl Iterator<Item = Span> {
    let mut rest = Some(span);
    std::iter::from_fn(move || {
        let Span { first, last } = rest?;
        let end = last_of(first).min(last);
        rest = crate::ranges::next(end)
            .filter(|next| *next <= last)
            .map(|next| Span { first: next, last });
        Some(Span { first, last: end })
    })
}

/// The first address of an address's block.
pub(super) fn first_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & !0xffff).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !0xffff).into()),
    }
}

fn last_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() | 0xffff).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() | 0xffff).into()),
    }
}

/// An address's place in its block: its last 16 bits.
fn place(address: IpAddr) -> u16 {
    let [.., high, low] = match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    };
    u16::from_be_bytes([high, low])
}

/// The address at a place of the block in which `neighbour` lies.
fn at_place(neighbour: IpAddr, place: usize) -> Option<IpAddr> {
    let place = u16::try_from(place).ok()?;
    Some(match first_of(neighbour) {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() | u32::from(place)).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() | u128::from(place)).into()),
    })
}
