// SPDX-License-Identifier: Apache-2.0
//! What can go wrong with a store. The sentences about addresses are the reference plugin's.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why the store did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused something.
    #[error("cannot {wish} {}: {cause}", path.display())]
    Io {
        /// What was to be done, as a verb and its object.
        wish: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// The file system's answer.
        cause: io::Error,
    },
    /// Another process held the lock for the whole time that was allowed for waiting.
    #[error("lock {} is held by another process: gave up after {} s", path.display(), limit.as_secs_f64())]
    Locked {
        /// The lock's file.
        path: PathBuf,
        /// How long it was waited for.
        limit: Duration,
    },
    /// A network name that is no plain file name.
    #[error("network name {0:?} cannot name a directory of leases")]
    Network(String),
    /// The requested address is the gateway of its pool.
    #[error("requested ip {0} is subnet's gateway")]
    Gateway(IpAddr),
    /// The requested address is in none of the set's pools.
    #[error("{address} not in range set {set}")]
    Outside {
        /// The requested address.
        address: IpAddr,
        /// The set's pools.
        set: String,
    },
    /// The requested address is held by another attachment.
    #[error("requested IP address {address} is not available in range set {set}")]
    Taken {
        /// The requested address.
        address: IpAddr,
        /// The set's pools.
        set: String,
    },
    /// The attachment has an address of this set already.
    #[error("{address} has been allocated to {container_id}, duplicate allocation is not allowed")]
    Duplicate {
        /// The address that it has.
        address: IpAddr,
        /// The attachment's container.
        container_id: String,
    },
    /// Every address of the set is held.
    #[error("no IP addresses available in range set: {0}")]
    Exhausted(String),
    /// One of several wishes failed, and with it all of them.
    #[error("failed to allocate for range {number}: {cause}")]
    Wish {
        /// The position of the wish's range set.
        number: usize,
        /// Why.
        cause: Box<Error>,
    },
}

impl Error {
    /// For `map_err`: says what was to be done with which file.
    pub(super) fn io(wish: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io {
            wish,
            path: path.to_owned(),
            cause,
        }
    }

    /// The reason, without the position of the wish that it stopped.
    pub fn reason(&self) -> &Self {
        match self {
            Self::Wish { cause, .. } => cause.reason(),
            reason => reason,
        }
    }
}
