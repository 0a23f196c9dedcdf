// SPDX-License-Identifier: Apache-2.0
//! The overlay as a matter of arithmetic: from a list of nodes to what the kernel should hold for
//! them, and from what it holds to that. No I/O, no clock, no kernel.
//!
//! [`NodeList`] is what a file says, [`Cluster`] what can be believed of it, [`Wish`] the kernel's
//! objects that follow from it, [`Held`] those that are there, and [`difference()`] the requests
//! that lead from one to the other. The same call programs a new node, follows a changed list, and
//! repairs what somebody has broken. [`State`] is how the agent tells the plugin how far it is.

mod admission;
mod change;
mod cidr;
mod cluster;
mod complaint;
mod difference;
mod family;
mod identity;
mod list;
mod mac;
mod metric;
mod mtu;
mod node;
mod settings;
mod state;
mod text;
mod vtep;
mod wish;

pub use cluster::{Cluster, Overlay};
pub use complaint::{Complaint, Fatal, Fault};
pub use difference::{
    Change, Foreign, Held, HeldFdbEntry, HeldNeighbour, HeldRoute, Obstacle, Op, difference,
};
pub use family::Family;
pub use identity::{Identity, Unidentified};
pub use list::{NodeList, ParseError, Unreadable};
pub use mac::{Mac, MacParseError};
pub use metric::metric;
pub use mtu::MtuTooSmall;
pub use node::{Node, Underlay};
pub use settings::{NotAVni, Settings, Vni};
pub use state::{Masquerade, NotReady, Remembered, State, StateError};
pub use vtep::Vtep;
pub use wish::{FdbEntry, Neighbour, PROTOCOL, Route, Subnet, Wish};
