// SPDX-License-Identifier: Apache-2.0
//! The laboratory: nodes, pods and an outside world in namespaces, runtimes that drive plugins in
//! them, and eyes for what a user would see: packets, addresses, leftovers.
//!
//! It panics when something of its own can't be built: there is nothing to test then.

mod execution;
mod node;
mod place;
mod pod;
mod processes;

pub use execution::{Execution, Outcome};
pub use node::Node;
pub use place::Place;
pub use pod::{Pod, interfaces};
