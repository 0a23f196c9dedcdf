// SPDX-License-Identifier: Apache-2.0
//! The laboratory: nodes, pods and an outside world in namespaces, runtimes that drive plugins in
//! them, and eyes for what a user would see: packets, addresses, leftovers.
//!
//! It panics when something of its own can't be built: there is nothing to test then.

pub mod binaries;
mod cnitool;
pub mod conntrack;
mod echo;
mod execution;
mod frame;
mod network;
mod node;
mod outside;
mod ping;
mod place;
mod pod;
mod processes;
mod runner;
mod state;
pub mod uml;
mod wire;

pub use echo::{Echo, ask_tcp, ask_udp};
pub use execution::{Execution, Outcome};
pub use frame::{Tap, send_frame};
pub use network::Network;
pub use node::Node;
pub use outside::Outside;
pub use ping::{ping, ping_sized};
pub use place::Place;
pub use pod::Pod;
pub use runner::{Failure, Runner};
pub use state::State;
