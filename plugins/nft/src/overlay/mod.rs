// SPDX-License-Identifier: Apache-2.0
//! The guard of the overlay: VXLAN has no authentication, so whoever reaches its UDP port reaches
//! every pod. Table `inet podwire-overlay`, for port 8472:
//!
//! ```text
//! set vteps4 { type ipv4_addr; size 98304; elements = { 192.0.2.2, 192.0.2.3 } }       # and vteps6
//! chain prerouting {
//!     type filter hook prerouting priority raw
//!     udp dport 8472 ip saddr @vteps4 notrack
//! }
//! chain output {
//!     type filter hook output priority raw
//!     udp dport 8472 ip daddr @vteps4 notrack
//! }
//! chain input {
//!     type filter hook input priority filter
//!     udp dport 8472 goto sources
//! }
//! chain sources {
//!     iifname "cni0" counter drop                                            # and "podwire.1"
//!     ip saddr @vteps4 accept
//!     counter drop
//! }
//! chain forward {
//!     type filter hook forward priority filter
//!     udp dport 8472 goto pods
//! }
//! chain pods {
//!     ip daddr 10.200.0.0/16 accept         # pods may use the port among themselves
//!     ip saddr 10.200.0.0/16 counter drop
//!     iifname "cni0" counter drop                                            # and "podwire.1"
//! }
//! chain postrouting {                                                                   # and vteps6
//!     type filter hook postrouting priority srcnat + 10
//!     udp dport 8472 ct status snat ip daddr @vteps4 counter drop
//! }
//! chain leaving {
//!     type nat hook postrouting priority srcnat
//!     oifname "podwire.1" goto node
//! }
//! chain node {
//!     ip saddr 10.200.0.0/16 accept
//!     fib saddr type local masquerade fully-random
//! }
//! ```
//!
//! The filter stands where packets enter this host's sockets, not before: a host port that leads
//! the same port to a pod is not concerned. From a pod nothing goes to the port outside the pods'
//! networks: masqueraded it would have the address of a known peer. So would what other programs
//! masquerade; they may use the port, but towards peers. And no masqueraded flow comes
//! from the port: see chain `reserve` of the masquerade's table.
//!
//! What this host itself sends to pods of other nodes has the address of the overlay's device, to which
//! they answer by the overlay. A program that is bound to another address has that one, and so has one
//! that asked for a Service, whose pod is chosen when the source has been: the answer would take the
//! underlay, where it is dropped as no answer to anything. So the last two chains give these packets
//! the device's address. They belong to no filter and stand without it, too.
//!
//! The table is one of its own, as thousands of peers would stand in every listing of the other,
//! and as it goes as a whole.

mod plan;
mod ruleset;

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::masquerade::reserve;
use crate::{Batch, Error, Nft, Table};
use plan::Seen;
use ruleset::TABLE;

/// An overlay as its node sees it.
#[derive(Clone, Copy, Debug)]
pub struct Overlay<'a> {
    /// The UDP port that the VXLAN device listens on.
    pub port: u16,
    /// The underlay addresses of all other nodes, of both protocols, in any order.
    pub peers: &'a [IpAddr],
    /// The networks that all pods' addresses are in; host bits are ignored.
    pub pods: &'a [IpNetwork],
    /// The bridges that this node's pods are attached to. Whatever source they claim, packets that come
    /// in by one are pods'.
    pub bridges: &'a [&'a str],
    /// The overlay's own devices, behind which are the pods of other nodes.
    pub devices: &'a [&'a str],
    /// Whether to drop anything. Without it nothing but `notrack` and the reserved port remains.
    pub filter: bool,
}

/// Makes the kernel hold what `overlay` takes, and nothing else. Of the peers only those that came
/// or went are written, in one transaction with all the rest; only where more than 8,000 peers of
/// both protocols come or go at once it takes several, of which the last one brings the rules.
///
/// Fails with more than 98,304 peers of one protocol (ENFILE), or with another refusal of the
/// kernel; then nothing is changed, or only addresses where it took several transactions.
pub fn ensure(nft: &mut Nft, overlay: &Overlay<'_>) -> Result<(), Error> {
    let mut remain = true;
    while remain {
        nft.transact(|nft| {
            let seen = Seen::read(nft)?;
            let mut batch = Batch::new();
            remain = seen.mend_sets(nft, &mut batch, overlay)?;
            if !remain {
                seen.mend_chains(&mut batch, overlay);
                reserve::add(nft, &mut batch, overlay.port)?;
            }
            Ok(batch)
        })?;
    }
    Ok(())
}

/// Takes in the peers that came and puts out those that went, by their underlay addresses, without
/// a look at the others: what it costs does not grow with their number, other than [`ensure`].
/// `false` if the kernel holds no overlay; then nothing is changed, and only [`ensure`] helps.
pub fn update(nft: &mut Nft, came: &[IpAddr], went: &[IpAddr]) -> Result<bool, Error> {
    let mut held = true;
    nft.transact(|nft| {
        let mut batch = Batch::new();
        held = nft.has_table(TABLE)?;
        if held {
            plan::update(nft, &mut batch, came, went)?;
        }
        Ok(batch)
    })?;
    Ok(held)
}

/// Whether the kernel holds the rules of `overlay` and its peers, and what `owner` shares
/// ([`masquerade::share`](crate::masquerade::share)), without a look at other peers: what it costs
/// does not grow with their number. So `overlay` may have some of the peers only.
pub fn holds(
    nft: &mut Nft,
    overlay: &Overlay<'_>,
    owner: &str,
    shared: &[IpNetwork],
) -> Result<bool, Error> {
    Ok(plan::holds(nft, overlay)? && reserve::holds(nft, overlay.port, owner, shared)?)
}

/// What of `overlay` the kernel does not hold, or holds beyond it, one sentence each.
pub fn missing(nft: &mut Nft, overlay: &Overlay<'_>) -> Result<Vec<String>, Error> {
    let mut lacks = Seen::read(nft)?.lacks(overlay);
    lacks.extend(reserve::missing(nft, overlay.port)?);
    Ok(lacks)
}

/// What the guard has dropped since its rules were made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Encapsulated packets for this node of which no known peer was the sender.
    pub strangers: u64,
    /// Packets to the port that came from pods, or whose source was translated.
    pub pods: u64,
}

/// Reads the guard's counters; zeros where there is no guard.
pub fn dropped(nft: &mut Nft) -> Result<Dropped, Error> {
    let mut dropped = Dropped::default();
    for rule in nft.rules(TABLE, None)? {
        let packets = rule.packets().unwrap_or(0);
        if ruleset::is_for_strangers(&rule) {
            dropped.strangers += packets;
        } else {
            dropped.pods += packets;
        }
    }
    Ok(dropped)
}

/// Takes all of it back; the masquerade's table goes too if nothing else is in it.
pub fn remove(nft: &mut Nft) -> Result<(), Error> {
    nft.transact(|nft| {
        let mut batch = Batch::new();
        if nft.has_table(TABLE)? {
            batch.delete_table(TABLE);
        }
        reserve::remove(nft, &mut batch)?;
        Ok(batch)
    })?;
    nft.remove_if_empty(Table {
        name: "podwire",
        ..TABLE
    })
}
