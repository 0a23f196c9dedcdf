// SPDX-License-Identifier: Apache-2.0
//! Kubernetes as the source of a list of nodes: what the cluster's Node objects say of its
//! overlay, and what this node says of itself there. On the wire of the API it is flannel's VXLAN
//! backend. No kernel.
//!
//! [`Nodes`] follows the API server in a task of its own. It is level-triggered: a [`Snapshot`] is
//! all that is known at a moment, an [`Announcement`] all that the own Node should say, and how
//! often either changed before does not matter.

pub mod annotations;
mod announce;
mod backoff;
mod cache;
mod client;
mod connector;
mod counters;
mod course;
mod details;
mod failure;
mod lines;
mod nodes;
mod object;
mod options;
mod own;
mod shared;
mod snapshot;
mod store;
mod tally;
mod troubles;
mod watch;

pub use announce::Announcement;
pub use cache::{Useless, remembered};
pub use counters::Counters;
pub use nodes::Nodes;
pub use options::{Error, Options};
pub use snapshot::{Origin, OwnNode, Snapshot};
