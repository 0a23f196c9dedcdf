// SPDX-License-Identifier: Apache-2.0
//! The kernel's network state as values: namespaces, links, addresses, routes,
//! neighbours, forwarding databases, traffic control and sysctls.
//!
//! Everything blocks and nothing is cached: a call is one request to the kernel
//! and returns what the kernel answered. The kernel answers an rtnetlink request
//! inside the system call that sends it, so no asynchronous runtime is needed
//! and [`Rtnl`] brings none.

mod address;
mod batch;
mod dump;
mod error;
mod fdb;
mod link;
mod mac;
mod monitor;
mod neighbour;
mod netns;
mod route;
mod rtnl;
mod socket;
pub mod sysctl;
mod traffic;
mod undo;
mod watch;

pub use address::Address;
pub use batch::Request;
pub use error::Error;
pub use fdb::FdbEntry;
pub use link::change::{LinkChange, PortChange};
pub use link::counters::Counters;
pub use link::create::{NewBridge, NewVeth, VethEnd, VethPair};
pub use link::ifb::NewIfb;
pub use link::inet::Inet;
pub use link::vlan::PortVlan;
pub use link::vxlan::{NewVxlan, Vxlan, VxlanChange};
pub use link::{Kind, Link, Port};
pub use mac::{Mac, MacParseError};
pub use monitor::{Event, Events, Monitor};
pub use neighbour::Neighbour;
pub use netns::Netns;
pub use route::Route;
pub use route::entry::RouteEntry;
pub use rtnl::Rtnl;
pub use traffic::Qdisc;
pub use traffic::tbf::{Bucket, Tbf};
pub use undo::Undo;
