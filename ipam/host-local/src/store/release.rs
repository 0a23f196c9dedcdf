// SPDX-License-Identifier: Apache-2.0
//! Giving addresses back.

use std::collections::HashSet;
use std::net::IpAddr;

use super::lease::{self, Lease};
use super::{Error, Owner, Session};

impl Session<'_> {
    /// Gives back what the owner holds, and says what that was: nothing, if it holds nothing. What
    /// plugins before 0.8 wrote for the container counts if there is nothing else.
    ///
    /// # Errors
    /// When a lease file can't be removed. The others are removed then nevertheless.
    pub fn release(&mut self, owner: &Owner) -> Result<Vec<IpAddr>, Error> {
        for owner in [owner, &owner.of_old_format()] {
            let leases = self.leases_of(owner)?;
            if !leases.is_empty() {
                self.remove(owner, &leases)?;
                return Ok(leases.iter().map(|lease| lease.address).collect());
            }
        }
        Ok(Vec::new())
    }

    /// Takes back all leases that nothing stands behind: their owner is not among the valid ones,
    /// or they were made in an earlier boot, or their file is empty. A valid owner's lease of which
    /// only its age speaks for an earlier boot stays: a clock may have been set since.
    ///
    /// # Errors
    /// When a lease file can't be removed. The others are removed then nevertheless.
    pub fn collect(&mut self, valid: &HashSet<Owner>) -> Result<(), Error> {
        let containers: HashSet<&str> = valid
            .iter()
            .map(|owner| owner.container_id.as_str())
            .collect();
        let is_valid = |owner: &Owner| match owner.ifname {
            Some(_) => valid.contains(owner),
            None => containers.contains(owner.container_id.as_str()),
        };
        let boot = self.boot();
        self.sweep(|lease| match &lease.owner {
            Some(owner) if is_valid(owner) => lease.boot.as_ref().is_some_and(|id| id != boot.id()),
            owner => owner.is_some(),
        })
    }

    /// Takes back what earlier boots left.
    pub(super) fn sweep_earlier(&mut self) -> Result<(), Error> {
        let boot = self.boot();
        self.sweep(|lease| lease.is_of_earlier_boot(boot))
    }

    fn sweep(&mut self, is_stale: impl Fn(&Lease) -> bool) -> Result<(), Error> {
        let (stale, mut kept): (Vec<_>, Vec<_>) = self.walk()?.into_iter().partition(&is_stale);
        let mut result = Ok(());
        for lease in stale {
            if let Err(error) = lease::remove(&self.store.dir, lease.address) {
                kept.push(lease);
                result = result.and(Err(error));
            }
        }
        let _next_session_walks = self.write_index(&kept);
        result
    }

    /// Removes some of an owner's leases from the directory and from the index.
    pub(super) fn remove(&mut self, owner: &Owner, leases: &[Lease]) -> Result<(), Error> {
        if leases.is_empty() {
            return Ok(());
        }
        let mut result = Ok(());
        for lease in leases {
            let removed = lease::remove(&self.store.dir, lease.address);
            result = result.and(removed);
        }
        let index = match &result {
            Ok(()) => self.index.remove(owner, leases),
            Err(_) => Err(std::io::Error::other(
                "the store is not what the index would say",
            )),
        };
        self.note(index);
        result
    }
}
