// SPDX-License-Identifier: Apache-2.0
//! The kernel made equal to what [`topology`] wishes: the VXLAN device of each family, and the
//! routes, neighbours and forwarding entries that lead to the peers; and the ruleset's part of it,
//! [`Guard`] and [`Egress`].
//!
//! There is one way of doing that, and it is level-triggered: look at what is there, make what
//! differs right, touch nothing else. So the same call programs a new node, follows a changed
//! list, repairs what somebody broke, and goes on where a killed process stopped; when nothing
//! differs it writes nothing. The plugin and the agent share it.

mod apply;
mod device;
mod egress;
mod follow;
mod ground;
mod guard;
mod hand_back;
mod peers;
mod reconcile;
mod removal;
mod repair;
mod report;
mod surroundings;
mod underlay;

use net::Rtnl;
use topology::{Cluster, Family, Settings};

pub use egress::Egress;
pub use guard::{Dropped, Guard};
pub use report::{Action, Device, Error, Failure, Report};
pub use surroundings::Surroundings;
pub use underlay::Underlay;

/// Whose device carries the overlay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Ours: [`topology::Vni::device_name`].
    #[default]
    Own,
    /// The one that flannel made, or would have made, on this node:
    /// [`topology::Vni::flannel_device_name`]. It stays, and flannel's routes through it become
    /// ours, so that a node changes over while its pods talk.
    Flannel,
}

/// The overlay of one node, in the network namespace of a connection.
///
/// The calling thread has to be in the same namespace: sysctls are those of the thread's.
#[derive(Clone, Copy, Debug)]
pub struct Dataplane<'a> {
    /// The connection to the kernel.
    pub rtnl: &'a Rtnl,
    /// What all nodes agree on. After a change of VNI or device name, [`Self::remove`] with the
    /// old ones takes the old device away.
    pub settings: &'a Settings,
    /// Whose device it is.
    pub origin: Origin,
}

impl Dataplane<'_> {
    /// Makes the kernel hold what the cluster wishes, and removes what an earlier wish left. An
    /// object that the kernel refuses does not keep the others from being made; two calls at the
    /// same time do not disturb each other.
    #[must_use = "it says what could not be done"]
    pub fn reconcile(&self, cluster: &Cluster) -> Report {
        reconcile::reconcile(self, cluster, reconcile::Mode::Repair)
    }

    /// As [`Self::reconcile`], but no object of a peer is removed: the cluster may lack peers that
    /// there are ([`topology::NodeList::partial`]).
    #[must_use = "it says what could not be done"]
    pub fn complete(&self, cluster: &Cluster) -> Report {
        reconcile::reconcile(self, cluster, reconcile::Mode::Complete)
    }

    /// Says what [`Self::reconcile`] would do, and writes nothing.
    #[must_use]
    pub fn audit(&self, cluster: &Cluster) -> Report {
        reconcile::reconcile(self, cluster, reconcile::Mode::Audit)
    }

    /// What of the host the cluster depends on, if the kernel holds what it wishes; none if it does
    /// not. Each object is looked up: it costs as much as this cluster has peers, whatever else
    /// the kernel holds, so that with some peers taken out of a large cluster it is a spot check
    /// of that one. What is beyond the wish is not seen.
    ///
    /// # Errors
    /// When the underlay is not there, or the kernel refuses to tell.
    pub fn glance(&self, cluster: &Cluster) -> Result<Option<Surroundings>, Error> {
        ground::glance(self, cluster)
    }

    /// Makes the kernel, which holds what `before` wishes, hold what `after` does. Just the peers
    /// that differ are written, nothing else is dumped or looked at: what it costs does not grow
    /// with the other peers, but for a comparison of the two lists. What others did to the peers'
    /// objects stays, and is found by [`Self::reconcile`]. Where this node's own entry, the network
    /// or the families differ, or where its device is not right, it is [`Self::reconcile`].
    ///
    /// An error says that somebody meddled, or the kernel refused: then a look is due.
    #[must_use = "it says what could not be done"]
    pub fn follow(&self, before: &Cluster, after: &Cluster) -> Report {
        follow::follow(self, before, after)
    }

    /// Looks at what of the host the wish depends on: a few requests, whatever the number of peers.
    ///
    /// # Errors
    /// When the kernel refuses. That a link or an address is not there is none.
    pub fn surroundings(&self, cluster: &Cluster) -> Result<Surroundings, Error> {
        Surroundings::of(self, cluster)
    }

    /// Takes all of the overlay away, the routes before the devices: those of our protocol number
    /// through the devices, and those within [`Settings::network`] that lead to peers directly.
    #[must_use = "it says what could not be done"]
    pub fn remove(&self) -> Report {
        removal::remove(self)
    }

    /// Gives the overlay back to flannel while packets flow: the devices, the neighbours and the
    /// forwarding entries stay, and our routes become such as it makes.
    #[must_use = "it says what could not be done"]
    pub fn hand_back(&self) -> Report {
        hand_back::hand_back(self)
    }

    /// The name of the VXLAN device of a family, whether it is there or not.
    #[must_use]
    pub fn device_name(&self, family: Family) -> String {
        let vni = self.settings.vni;
        let flannels = || vni.flannel_device_name(family);
        let taken_over = self.takes_over().then(flannels).flatten();
        taken_over.unwrap_or_else(|| vni.device_name(family))
    }

    fn takes_over(&self) -> bool {
        self.origin == Origin::Flannel
    }
}
