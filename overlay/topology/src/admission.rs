// SPDX-License-Identifier: Apache-2.0
//! Which nodes can be in one overlay together. Each is held against those admitted before it, in
//! logarithmic time, so that a list of 65,000 nodes is no matter.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::complaint::Fault;
use crate::{Family, Mac, Vtep, cidr};

/// The VTEPs of one family that were admitted, and what is taken by them.
pub(crate) struct Admission<'a> {
    family: Family,
    network: &'a [IpNetwork],
    admitted: Vec<Vtep>,
    /// Who has an underlay address, as an index of `admitted`.
    underlays: BTreeMap<IpAddr, usize>,
    macs: HashMap<Mac, usize>,
    /// The pod CIDRs by their first addresses. They are apart from each other.
    pod_cidrs: BTreeMap<IpAddr, (IpNetwork, usize)>,
}

impl<'a> Admission<'a> {
    pub(crate) fn new(family: Family, network: &'a [IpNetwork]) -> Self {
        Self {
            family,
            network,
            admitted: Vec::new(),
            underlays: BTreeMap::new(),
            macs: HashMap::new(),
            pod_cidrs: BTreeMap::new(),
        }
    }

    /// Admits a VTEP unless something is wrong with it, or with it beside those admitted before.
    pub(crate) fn admit(&mut self, vtep: Vtep) -> Result<(), Fault> {
        self.check_addresses(&vtep)?;
        self.check_underlay(&vtep)?;
        for cidr in &vtep.pod_cidrs {
            self.check_pod_cidr(*cidr, &vtep)?;
        }
        let index = self.admitted.len();
        self.underlays.insert(vtep.underlay, index);
        self.macs.insert(vtep.mac, index);
        for cidr in &vtep.pod_cidrs {
            self.pod_cidrs.insert(cidr.network(), (*cidr, index));
        }
        self.admitted.push(vtep);
        Ok(())
    }

    pub(crate) fn into_admitted(self) -> Vec<Vtep> {
        self.admitted
    }

    fn check_addresses(&self, vtep: &Vtep) -> Result<(), Fault> {
        let (family, mac, address) = (self.family, vtep.mac, vtep.underlay);
        if !is_unicast(address) {
            return Err(Fault::UnderlayNotUnicast { address });
        }
        if !mac.is_unicast() {
            return Err(Fault::MacNotUnicast { family, mac });
        }
        if let Some(&other) = self.underlays.get(&address) {
            let other = self.name(other);
            return Err(Fault::SameUnderlay { address, other });
        }
        if let Some(&other) = self.macs.get(&mac) {
            let other = self.name(other);
            return Err(Fault::SameMac { family, mac, other });
        }
        Ok(())
    }

    fn check_underlay(&self, vtep: &Vtep) -> Result<(), Fault> {
        let address = vtep.underlay;
        if let Some(&(theirs, other)) = self.overlapping(cidr::host(address)) {
            let other = self.name(other);
            return Err(Fault::UnderlayHeld {
                address,
                theirs,
                other,
            });
        }
        Ok(())
    }

    fn check_pod_cidr(&self, cidr: IpNetwork, vtep: &Vtep) -> Result<(), Fault> {
        if !self.network.iter().any(|outer| cidr::holds(*outer, cidr)) {
            let network = self.network.to_vec();
            return Err(Fault::OutsideNetwork { cidr, network });
        }
        if let Some(&(theirs, other)) = self.overlapping(cidr) {
            let other = self.name(other);
            return Err(Fault::Overlap {
                cidr,
                theirs,
                other,
            });
        }
        let within = cidr.network()..=cidr.broadcast();
        let theirs = self.underlays.range(within).next();
        let theirs = theirs.map(|(address, other)| (*address, self.name(*other)));
        let own = || (vtep.underlay, vtep.node.clone());
        match theirs.or_else(|| cidr.contains(vtep.underlay).then(own)) {
            Some((address, other)) => Err(Fault::HoldsUnderlay {
                cidr,
                address,
                other,
            }),
            None => Ok(()),
        }
    }

    /// An admitted pod CIDR that shares addresses with `cidr`: since they are apart, the last one
    /// to begin before `cidr` ends does, or none.
    fn overlapping(&self, cidr: IpNetwork) -> Option<&(IpNetwork, usize)> {
        let (_, last) = self.pod_cidrs.range(..=cidr.broadcast()).next_back()?;
        (last.0.contains(cidr.network()) || cidr.contains(last.0.network())).then_some(last)
    }

    fn name(&self, index: usize) -> String {
        self.admitted[index].node.clone()
    }
}

/// Whether a host can have the address on a network.
fn is_unicast(address: IpAddr) -> bool {
    let special = address.is_unspecified() || address.is_loopback() || address.is_multicast();
    !special && !matches!(address, IpAddr::V4(v4) if v4.is_broadcast())
}
