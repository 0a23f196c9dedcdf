// SPDX-License-Identifier: Apache-2.0
//! What the own Node should say, and the task that sees to it.

mod difference;
mod lane;
mod pace;
mod task;

use topology::Vni;

use crate::annotations::Announced;

pub(crate) use task::keep;

/// What this node says of itself to its peers and to the scheduler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The network identifier of the overlay.
    pub vni: Vni,
    /// The VTEPs, as peers reach them.
    pub vteps: Announced,
    /// Whether the overlay carries pods' packets.
    pub network_available: bool,
    /// The keys of the start-up taints that are to go once it does.
    pub remove_taints: Vec<String>,
}
