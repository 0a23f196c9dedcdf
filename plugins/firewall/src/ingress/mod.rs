// SPDX-License-Identifier: Apache-2.0
//! `ingressPolicy`: pods that may not be reached by other pods of this node.
//!
//! The policy is one of bridges. Between two bridges that have one nothing passes, nor within one
//! whose policy is `isolated`; the node itself, other nodes and the world outside come by other
//! ways and are not concerned. Two rules serve all pods. Table `inet podwire`:
//!
//! ```text
//! set ingress-pods { type ifname . ifname; elements = { "veth…" . "cni0" comment "pods isolated" } }
//! set ingress-bridges { type ifname; elements = { "cni0" } }
//! map ingress-within { type ifname . ifname : verdict; elements = { "cni0" . "cni0" : drop } }
//! chain ingress {
//!     type filter hook forward priority filter
//!     iifname . oifname vmap @ingress-within
//!     iifname @ingress-bridges oifname @ingress-bridges counter drop
//! }
//! ```
//!
//! What a bridge sends from port to port comes there only by grace of `br_netfilter`. So the ports
//! of isolated pods are also in table `bridge podwire`:
//!
//! ```text
//! set ingress-ports { type ifname; elements = { "veth…" comment "pods veth…" } }
//! set ingress-gateways { type ifname }
//! chain ingress {
//!     type filter hook forward priority filter
//!     iifname @ingress-ports oifname != @ingress-gateways counter drop
//!     oifname @ingress-ports iifname != @ingress-gateways counter drop
//! }
//! ```
//!
//! The interface by which the host routes a VLAN, such as `cni0.100`, is behind a port of the bridge,
//! a gateway. Which ports are that is kept as long as any pod is guarded.
//!
//! `ingress-pods` keeps who is there; all else follows from it.

mod objects;
mod pods;

use nft::{Batch, Element, Error, Nft};

use crate::owner::{Owner, Valid};
use objects::{BRIDGE, GATEWAYS, INET, PODS, PORTS};
pub(crate) use pods::Guarded;

/// Keeps from an attachment what its policy forbids.
pub(crate) fn ensure(nft: &mut Nft, guarded: &Guarded) -> Result<(), Error> {
    change(nft, |owner| *owner == guarded.owner, Some(guarded))
}

/// Takes back what an attachment has.
pub(crate) fn remove(nft: &mut Nft, owner: &Owner) -> Result<(), Error> {
    change(nft, |other| other == owner, None)
}

/// Takes back what attachments of the network have that do not stay.
pub(crate) fn collect(nft: &mut Nft, valid: &Valid) -> Result<(), Error> {
    change(nft, |owner| valid.excludes(owner), None)
}

/// Whether the attachment has been guarded by this plugin.
pub(crate) fn knows(nft: &mut Nft, guarded: &Guarded) -> Result<bool, Error> {
    let key = guarded.element().key;
    Ok(nft.element(INET, PODS.name, &key)?.is_some())
}

/// What of an attachment's guard the kernel does not hold, a sentence each.
pub(crate) fn missing(nft: &mut Nft, guarded: &Guarded) -> Result<Vec<String>, Error> {
    let mut sentences = objects::missing_rules(nft)?;
    let mut wished = pods::derived(std::slice::from_ref(guarded)).to_vec();
    wished.push((INET, PODS, vec![guarded.element()]));
    wished.push((BRIDGE, PORTS, guarded.port().into_iter().collect()));
    wished.push((BRIDGE, GATEWAYS, guarded.gateway().into_iter().collect()));
    for (table, set, elements) in wished {
        for element in elements {
            let held = nft.element(table, set.name, &element.key)?;
            // Of a bridge with several policies the strictest holds.
            if !held.is_some_and(|held| pods::is_as_strict(&held, &element)) {
                let of = &guarded.bridge;
                let name = set.name;
                sentences.push(format!(
                    "{name} of {table} lacks an element for bridge {of:?}"
                ));
            }
        }
    }
    Ok(sentences)
}

/// Replaces the attachments that are `gone` by one that comes, if any.
fn change(
    nft: &mut Nft,
    gone: impl Fn(&Owner) -> bool,
    comes: Option<&Guarded>,
) -> Result<(), Error> {
    let mut emptied = false;
    nft.transact(|nft| {
        let mut batch = Batch::new();
        let held = nft.elements(INET, PODS.name)?;
        let ports = nft.elements(BRIDGE, PORTS.name)?;
        let mut pods: Vec<Guarded> = held.iter().filter_map(Guarded::of_element).collect();
        pods.retain(|pod| !gone(&pod.owner));
        let is_gone = |port: &Element| {
            let owner = port.comment.as_deref().and_then(Owner::of_comment);
            owner.is_some_and(|owner| gone(&owner))
        };
        let mut kept: Vec<_> = ports.into_iter().filter(|port| !is_gone(port)).collect();
        let mut gateways = nft.elements(BRIDGE, GATEWAYS.name)?;
        if let Some(comes) = comes {
            kept.extend(comes.port());
            gateways.extend(comes.gateway());
            pods.push(comes.clone());
        }
        emptied = pods.is_empty() && (!held.is_empty() || objects::are_there(nft)?);
        if pods.is_empty() {
            objects::remove(nft, &mut batch)?;
            return Ok(batch);
        }
        objects::add(nft, &mut batch)?;
        for (table, set, elements) in pods::derived(&pods) {
            objects::settle(nft, &mut batch, (table, set), &elements)?;
        }
        let elements: Vec<_> = pods.iter().map(Guarded::element).collect();
        objects::settle(nft, &mut batch, (INET, PODS), &elements)?;
        objects::settle(nft, &mut batch, (BRIDGE, PORTS), &kept)?;
        gateways.dedup();
        objects::settle(nft, &mut batch, (BRIDGE, GATEWAYS), &gateways)?;
        Ok(batch)
    })?;
    if emptied {
        nft.remove_if_empty(INET)?;
        nft.remove_if_empty(BRIDGE)?;
    }
    Ok(())
}
