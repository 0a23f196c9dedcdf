// SPDX-License-Identifier: Apache-2.0
//! The addresses that an IPAM plugin grants: given back unless the attachment is completed.

use cni::{Add, AddResult, Call, Delegate, Error, RunningAdd};
use std::cell::Cell;

/// What an IPAM plugin is asked for. Dropped, it gives back what was granted; so it is made before
/// the [`net::Undo`] that takes the interface away, and dropped after it.
#[derive(Debug)]
pub struct Lease {
    ipam: Option<Delegate>,
    granted: Cell<bool>,
}

impl Lease {
    /// Finds the IPAM plugin; without one nothing is ever asked for.
    ///
    /// # Errors
    /// As [`Call::delegate`].
    pub fn of(call: &Add, plugin: Option<&str>) -> Result<Self, Error> {
        Ok(Self {
            ipam: plugin.map(|plugin| call.delegate(plugin)).transpose()?,
            granted: Cell::new(false),
        })
    }

    /// Starts the IPAM plugin, which seeks addresses while its caller goes on.
    ///
    /// # Errors
    /// As [`Delegate::start_add`].
    pub fn seek(&self) -> Result<Option<RunningAdd>, Error> {
        self.ipam.as_ref().map(Delegate::start_add).transpose()
    }

    /// Waits for what the IPAM plugin grants.
    ///
    /// # Errors
    /// As [`RunningAdd::finish`].
    pub fn wait(&self, seeking: RunningAdd) -> Result<AddResult, Error> {
        let found = seeking.finish()?;
        self.granted.set(true);
        Ok(found)
    }

    /// The attachment is complete: its addresses stay.
    pub fn keep(self) {
        self.granted.set(false);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(ipam) = self.ipam.as_ref().filter(|_| self.granted.get()) {
            drop(ipam.del());
        }
    }
}
