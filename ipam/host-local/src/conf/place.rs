// SPDX-License-Identifier: Apache-2.0
//! Where the leases are and how long to wait for them: all that DEL and GC need, so that no
//! other part of a configuration can keep them from their work.

use std::path::Path;
use std::time::Duration;

use cni::{Error, Network};
use host_local::store::{Boot, Store};
use serde::Deserialize;

use super::invalid;
use crate::failure;

const DATA_DIR: &str = "/var/lib/cni/networks";
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// A network's store, and how long to wait for its lock.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) store: Store,
    pub(crate) lock_timeout: Duration,
}

impl Place {
    pub(crate) fn of(network: &Network) -> Result<Self, Error> {
        let lock_timeout = lock_timeout(network)?;
        Ok(Self {
            store: store(network)?,
            lock_timeout,
        })
    }

    /// The same for DEL and GC: a wrong limit is replaced by the usual one.
    pub(crate) fn tolerant(network: &Network) -> Result<Self, Error> {
        let lock_timeout = lock_timeout(network).unwrap_or(LOCK_TIMEOUT);
        Ok(Self {
            store: store(network)?,
            lock_timeout,
        })
    }
}

fn store(network: &Network) -> Result<Store, Error> {
    #[derive(Deserialize)]
    struct Conf {
        ipam: Option<Ipam>,
    }
    #[derive(Deserialize)]
    struct Ipam {
        #[serde(rename = "dataDir")]
        data_dir: Option<String>,
    }
    let data_dir = network.conf::<Conf>()?.ipam.and_then(|ipam| ipam.data_dir);
    let data_dir = data_dir.filter(|path| !path.is_empty());
    let data_dir = Path::new(data_dir.as_deref().unwrap_or(DATA_DIR));
    let boot = Boot::current().map_err(failure)?;
    Store::new(data_dir, &network.name, boot).map_err(failure)
}

fn lock_timeout(network: &Network) -> Result<Duration, Error> {
    #[derive(Deserialize)]
    struct Conf {
        ipam: Option<Ipam>,
    }
    #[derive(Deserialize)]
    struct Ipam {
        #[serde(rename = "lockTimeout")]
        lock_timeout: Option<f64>,
    }
    match network
        .conf::<Conf>()?
        .ipam
        .and_then(|ipam| ipam.lock_timeout)
    {
        None => Ok(LOCK_TIMEOUT),
        Some(seconds) => Duration::try_from_secs_f64(seconds).map_err(|_| {
            invalid(format!(
                "lockTimeout {seconds} is not a number of seconds to wait"
            ))
        }),
    }
}
