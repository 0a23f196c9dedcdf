// SPDX-License-Identifier: Apache-2.0
//! The laboratory: nodes, pods and an outside world in namespaces, runtimes that drive plugins in
//! them, and eyes for what a user would see: packets, addresses, leftovers.
//!
//! It panics when something of its own can't be built: there is nothing to test then.

mod agent;
mod beginning;
pub mod bench;
pub mod binaries;
mod cnitool;
pub mod conntrack;
mod conversation;
mod datagram;
mod echo;
mod execution;
pub mod flannel;
mod fleet;
mod frame;
pub mod http;
mod inquirer;
mod lone_node;
mod member;
mod metadata;
mod network;
mod node;
mod outside;
mod ping;
mod place;
mod pod;
mod processes;
mod program;
mod progress;
mod refusal;
mod runner;
pub mod service;
mod state;
mod stream;
pub mod uml;
pub mod vxlan;
mod watch;
mod wire;

pub use agent::{Agent, podwired};
pub use beginning::{BRIEFLY, PATIENCE, seen};
pub use bench::Bench;
pub use conversation::Conversation;
pub use datagram::{ask_udp_from, multicast};
pub use echo::{Echo, ask_tcp, ask_udp};
pub use execution::{Execution, Outcome};
pub use fleet::{Fleet, Stack};
pub use frame::{Tap, send_frame};
pub use inquirer::Inquirer;
pub use lone_node::LoneNode;
pub use member::Member;
pub use metadata::Metadata;
pub use network::Network;
pub use node::Node;
pub use outside::Outside;
pub use ping::{ping, ping_sized, ping_unfragmented};
pub use place::Place;
pub use pod::Pod;
pub use program::{Ended, Program};
pub use refusal::changed;
pub use runner::{Failure, Runner};
pub use state::State;
pub use stream::{Stream, Tally};
