// SPDX-License-Identifier: Apache-2.0
//! What a call found and did.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::net::IpAddr;

use topology::{Family, Foreign, MtuTooSmall, Obstacle, Op, Overlay};

/// What was found, and what came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// The devices that are there in the end, and fit to carry packets.
    pub devices: Vec<Device>,
    /// How many changes of each kind were carried out; in an audit, how many are due.
    pub operations: BTreeMap<Action, usize>,
    /// How many things differed from the wish: settings of devices, and objects of peers.
    pub differing: usize,
    /// The names of the peers whose objects differed.
    pub peers: BTreeSet<String>,
    /// Others' routes that keep ours from working, and that are not touched.
    pub complaints: Vec<Foreign>,
    /// The names of the peers that lack a route because such a one stands in its place.
    pub obstructed: BTreeSet<String>,
    /// What could not be done.
    pub errors: Vec<Failure>,
}

impl Report {
    /// Whether everything was right already.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.differing == 0 && self.errors.is_empty()
    }

    /// Takes note of others' routes, which keep an overlay's from working.
    pub(crate) fn complain(&mut self, overlay: &Overlay, foreign: Vec<Foreign>) {
        let in_place = foreign.iter();
        let in_place = in_place.filter(|foreign| foreign.obstacle == Obstacle::InPlace);
        let taken: HashSet<_> = in_place.map(|foreign| foreign.route.dst).collect();
        if !taken.is_empty() {
            let peers = overlay.peers().iter();
            let lacking = peers.filter(|peer| peer.pod_cidrs.iter().any(|it| taken.contains(it)));
            let names = lacking.map(|peer| peer.node.clone());
            self.obstructed.extend(names);
        }
        self.complaints.extend(foreign);
    }

    pub(crate) fn differs(&mut self, action: Action, outcome: Result<(), Failure>) {
        self.differing += 1;
        match outcome {
            Ok(()) => *self.operations.entry(action).or_default() += 1,
            Err(failure) => self.errors.push(failure),
        }
    }

    pub(crate) fn fail(&mut self, object: impl Into<String>, error: impl Into<Error>) {
        self.errors.push(Failure::new(object, error));
    }
}

/// The VXLAN device of one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The family of the overlay.
    pub family: Family,
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// The MTU in bytes that it has, or in an audit should have.
    pub mtu: u32,
    /// The name of the link that its packets leave by.
    pub underlay: String,
}

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// A device was not there.
    CreateDevice,
    /// A device had settings that the kernel does not change: it was deleted and made again.
    RemakeDevice,
    /// A device's local address, link below, or learning.
    ChangeTunnel,
    /// A device belonged to a bridge or to another controller.
    Release,
    /// A device's MAC address.
    SetMac,
    /// A device's MTU.
    SetMtu,
    /// A device was down.
    SetUp,
    /// A sysctl of a device.
    SetSysctl,
    /// A device had not its address.
    AddAddress,
    /// A device had another address within the cluster's network.
    DeleteAddress,
    /// A device that is not wished any more.
    DeleteDevice,
    /// [`Op::SetFdbEntry`].
    SetFdbEntry,
    /// [`Op::SetNeighbour`].
    SetNeighbour,
    /// [`Op::AddRoute`].
    AddRoute,
    /// [`Op::ReplaceRoute`].
    ReplaceRoute,
    /// [`Op::DeleteRoute`].
    DeleteRoute,
    /// [`Op::DeleteNeighbour`].
    DeleteNeighbour,
    /// [`Op::DeleteFdbEntry`].
    DeleteFdbEntry,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::CreateDevice,
        Self::RemakeDevice,
        Self::ChangeTunnel,
        Self::Release,
        Self::SetMac,
        Self::SetMtu,
        Self::SetUp,
        Self::SetSysctl,
        Self::AddAddress,
        Self::DeleteAddress,
        Self::DeleteDevice,
        Self::SetFdbEntry,
        Self::SetNeighbour,
        Self::AddRoute,
        Self::ReplaceRoute,
        Self::DeleteRoute,
        Self::DeleteNeighbour,
        Self::DeleteFdbEntry,
    ];
}

impl From<&Op> for Action {
    fn from(op: &Op) -> Self {
        match op {
            Op::SetFdbEntry(_) => Self::SetFdbEntry,
            Op::SetNeighbour(_) => Self::SetNeighbour,
            Op::AddRoute(_) => Self::AddRoute,
            Op::ReplaceRoute(_) => Self::ReplaceRoute,
            Op::DeleteRoute(_) => Self::DeleteRoute,
            Op::DeleteNeighbour(_) => Self::DeleteNeighbour,
            Op::DeleteFdbEntry(_) => Self::DeleteFdbEntry,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CreateDevice => "create device",
            Self::RemakeDevice => "remake device",
            Self::ChangeTunnel => "change tunnel",
            Self::Release => "release",
            Self::SetMac => "set MAC address",
            Self::SetMtu => "set MTU",
            Self::SetUp => "set up",
            Self::SetSysctl => "set sysctl",
            Self::AddAddress => "add address",
            Self::DeleteAddress => "delete address",
            Self::DeleteDevice => "delete device",
            Self::SetFdbEntry => "set forwarding entry",
            Self::SetNeighbour => "set neighbour",
            Self::AddRoute => "add route",
            Self::ReplaceRoute => "replace route",
            Self::DeleteRoute => "delete route",
            Self::DeleteNeighbour => "delete neighbour",
            Self::DeleteFdbEntry => "delete forwarding entry",
        })
    }
}

/// What could not be done to one object.
#[derive(Debug, thiserror::Error)]
#[error("{object}: {error}")]
pub struct Failure {
    /// The object: a device's name, or a route's destination, a neighbour's address, a forwarding
    /// entry's MAC address.
    pub object: String,
    /// Why.
    #[source]
    pub error: Error,
}

impl Failure {
    pub(crate) fn new(object: impl Into<String>, error: impl Into<Error>) -> Self {
        Self {
            object: object.into(),
            error: error.into(),
        }
    }
}

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No link has the node's underlay address: the link is gone, the address was taken away, or
    /// the list of nodes is wrong about this node.
    #[error("no link of this node has its {family} underlay address {address}")]
    NoUnderlay {
        /// The overlay's family.
        family: Family,
        /// The address.
        address: IpAddr,
    },
    /// [`Settings::underlay`](topology::Settings::underlay) names a link that is not there.
    #[error("this node has no link {link:?}, by which {family} underlay packets are to leave")]
    NoUnderlayLink {
        /// The overlay's family.
        family: Family,
        /// The link's name.
        link: String,
    },
    /// The underlay's link is `lo`, which has no wire and no MTU to go by.
    #[error(
        "no packets leave by {link:?}, which carries the {family} underlay address {address}: name their link with the setting `underlay`"
    )]
    UnderlayIsLoopback {
        /// The overlay's family.
        family: Family,
        /// The address.
        address: IpAddr,
        /// The link's name.
        link: String,
    },
    /// The underlay's packets are too small.
    #[error(transparent)]
    Mtu(#[from] MtuTooSmall),
    /// A link that is not VXLAN has the device's name.
    #[error("another link, which is no VXLAN device, has the name {name:?}; it is left alone")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// Another program has the UDP port.
    #[error("UDP port {port} is taken by {culprit}: {error}")]
    PortTaken {
        /// The port.
        port: u16,
        /// Who has it, as far as that can be seen.
        culprit: String,
        /// What the kernel said.
        error: net::Error,
    },
    /// A gateway in the tunnel has a route of another program's, which the kernel goes by.
    #[error("the gateway {gateway} is behind another program's route {route}: {error}")]
    GatewayElsewhere {
        /// The gateway.
        gateway: IpAddr,
        /// The other route.
        route: String,
        /// What the kernel said.
        error: net::Error,
    },
    /// A sysctl is not as it has to be, and `/proc/sys` is read-only, as in a container that is not
    /// privileged.
    #[error("{error}: set it on the host, by `sysctl -w {setting}`")]
    ReadOnlySysctl {
        /// The sysctl and its value.
        setting: String,
        /// What the kernel said.
        error: net::Error,
    },
    /// The device was deleted while it was being worked on.
    #[error("the device {name:?} was deleted as soon as it was made")]
    Deleted {
        /// The device's name.
        name: String,
    },
    /// The kernel refused.
    #[error(transparent)]
    Kernel(#[from] net::Error),
}
