// SPDX-License-Identifier: Apache-2.0
//! A change of the nf_tables ruleset as one atomic transaction, over netlink, without nft(8).
//!
//! [`Nft`] is the connection, [`Batch`] the change, [`Rule`] and its kin what a change is made of.
//! On them stands what Podwire keeps in the kernel: [`masquerade`], the source-MAC check
//! ([`spoof`]), what guards the [`overlay`], and what lets its packets [`forward`]; and what removes
//! that which the Go plugins ([`reference`](mod@reference)) and [`flannel`] left. A [`Monitor`] tells
//! when others change any of it. [`conntrack`] forgets flows.
//!
//! Deleting anything makes the closing of the connection wait for a grace period of the kernel
//! (8 to 16 ms). So what is made for a network stays until no attachment uses it.

mod batch;
mod comment;
pub mod conntrack;
mod element;
mod error;
mod expr;
pub mod flannel;
pub mod forward;
mod iptables;
pub mod masquerade;
mod monitor;
mod object;
pub mod overlay;
mod query;
pub mod reference;
mod rule;
mod socket;
pub mod spoof;
mod uapi;
mod verdict;
mod wire;

pub use batch::Batch;
pub use comment::label;
pub use error::Error;
pub use expr::{Base, Connection, Expr, Found, Meta, Register};
pub use monitor::Monitor;
pub use object::{BaseChain, DataType, Element, Family, Hook, Set, Table, Value, Values, Verdict};
pub use rule::{End, Installed, Protocol, Rule};
pub use socket::Nft;
