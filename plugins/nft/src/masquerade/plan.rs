// SPDX-License-Identifier: Apache-2.0
//! The difference between what is wished and what the table holds: ADD mends it, CHECK tells it.

use std::fmt;
use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::Masquerade;
use super::ruleset::{self, CHAINS, EXEMPT, POSTROUTING, SETS, TABLE, covers, subnet_of};
use crate::rule::{longest, octets};
use crate::{Batch, Element, Error, Installed, Nft, Protocol, Rule, Verdict, comment};

/// What the table holds: its rules, and for the addresses in question the single pods' elements.
pub(super) struct Seen<'a> {
    pub(super) rules: Vec<Installed>,
    pods: Vec<(&'a IpNetwork, Option<Element>)>,
}

/// Something that is wished and not there.
#[derive(Debug, PartialEq)]
pub(super) enum Lack {
    /// The table, its sets, its shared chains or the rules that these begin with.
    Base,
    /// The network's chain, or its rules are others.
    Policy { chain: String, rules: Vec<Rule> },
    /// A subnet's rule in `postrouting`.
    Subnet { label: String, subnet: IpNetwork },
    /// A destination's rule in `exempt`.
    Exemption {
        label: String,
        destination: IpNetwork,
    },
    /// A single pod's element is missing (`wish`), or stands in the way (`have`).
    Pod {
        address: IpAddr,
        have: Option<Element>,
        wish: Option<Element>,
    },
}

impl<'a> Seen<'a> {
    pub(super) fn read(nft: &mut Nft, addresses: &'a [IpNetwork]) -> Result<Seen<'a>, Error> {
        let rules = nft.rules(TABLE, None)?;
        let mut pods = Vec::new();
        // No rules: no table.
        for address in addresses.iter().filter(|_| !rules.is_empty()) {
            let set = ruleset::pods(Protocol::of(address.ip()));
            pods.push((address, nft.element(TABLE, set, &octets(address.ip()))?));
        }
        Ok(Seen { rules, pods })
    }

    /// What a masqueraded attachment lacks; in the order in which it is to be made.
    pub(super) fn lacks(&self, wish: &Masquerade<'_>) -> Vec<Lack> {
        let label = comment::label(wish.network);
        let chain = ruleset::chain_of(&label);
        let mut lacks = Vec::from_iter(self.lacks_base().then_some(Lack::Base));
        let policy = ruleset::policy(wish.exempt);
        if !self.begins_with(&chain, &policy) || self.chain(&chain).count() != policy.len() {
            lacks.push(Lack::Policy {
                chain: chain.clone(),
                rules: policy,
            });
        }
        let comment = format!("{label} {}", wish.owner);
        for address in wish.addresses {
            let single = self.lacks_of_subnet(&label, *address, &mut lacks);
            let verdict = Verdict::Goto(chain.clone());
            let pod = ruleset::pod(address.ip(), verdict, &comment);
            lacks.extend(self.lacks_of_pod(address, pod, single));
        }
        lacks
    }

    /// Adds what is missing for the subnet of an address; whether the subnet's rule cannot serve.
    fn lacks_of_subnet(&self, label: &str, address: IpNetwork, lacks: &mut Vec<Lack>) -> bool {
        if address.prefix() == longest(address) {
            return true;
        }
        let subnet = subnet_of(address);
        let mut lack = |lack| {
            if !lacks.contains(&lack) {
                lacks.push(lack);
            }
        };
        if !self.exempts(label, subnet) {
            lack(Lack::Exemption {
                label: label.to_owned(),
                destination: subnet,
            });
        }
        let served = self
            .subnets()
            .any(|(whose, s)| whose == label && covers(s, subnet));
        let taken = self
            .subnets()
            .any(|(whose, s)| whose != label && (covers(s, subnet) || covers(subnet, s)));
        if !served && !taken {
            lack(Lack::Subnet {
                label: label.to_owned(),
                subnet,
            });
        }
        !served && taken
    }

    /// What an attachment lacks whose network is not masqueraded: a way past the rules that are.
    pub(super) fn lacks_of_excluded(&self, network: &str, owner: &str) -> Vec<Lack> {
        let comment = format!("{} {owner}", comment::label(network));
        let lack = |(address, _): &(&IpNetwork, _)| {
            let host = IpNetwork::from(address.ip());
            let covered = self.subnets().any(|(_, subnet)| covers(subnet, host));
            let pod = ruleset::pod(address.ip(), Verdict::Accept, &comment);
            self.lacks_of_pod(address, pod, covered)
        };
        self.pods.iter().filter_map(lack).collect()
    }

    /// The element of a pod: it need not be there unless the pod is to be served singly, and no
    /// other may be in its place.
    fn lacks_of_pod(&self, address: &IpNetwork, pod: Element, single: bool) -> Option<Lack> {
        let seen = self.pods.iter().find(|(of, _)| *of == address);
        let have = seen.and_then(|(_, element)| element.as_ref());
        let right = match have {
            Some(element) => *element == pod,
            None => !single,
        };
        (!right).then(|| Lack::Pod {
            address: address.ip(),
            have: have.cloned(),
            wish: single.then_some(pod),
        })
    }

    /// What the owner of shared destinations lacks.
    pub(super) fn lacks_of_shared(&self, owner: &str, destinations: &[IpNetwork]) -> Vec<Lack> {
        let label = ruleset::shared_label(owner);
        let needs_base = !destinations.is_empty() && self.lacks_base();
        let new = destinations.iter().map(|d| subnet_of(*d)).filter(|d| {
            !self
                .chain(EXEMPT)
                .any(|rule| rule.is(&ruleset::exemption(&label, *d)))
        });
        let mut lacks = Vec::from_iter(needs_base.then_some(Lack::Base));
        lacks.extend(new.map(|destination| Lack::Exemption {
            label: label.clone(),
            destination,
        }));
        lacks
    }

    /// The rules of destinations that the owner shared and that are not among these.
    pub(super) fn no_longer_shared(&self, owner: &str, destinations: &[IpNetwork]) -> Vec<u64> {
        let label = ruleset::shared_label(owner);
        let keep: Vec<IpNetwork> = destinations.iter().map(|d| subnet_of(*d)).collect();
        self.chain(EXEMPT)
            .filter(|rule| {
                ruleset::claim(rule).is_some_and(|(whose, d)| whose == label && !keep.contains(&d))
            })
            .map(|rule| rule.handle)
            .collect()
    }

    fn lacks_base(&self) -> bool {
        !CHAINS
            .iter()
            .all(|(chain, _)| self.begins_with(chain, &ruleset::base(chain)))
    }

    fn begins_with(&self, chain: &str, rules: &[Rule]) -> bool {
        let mut installed = self.chain(chain);
        rules
            .iter()
            .all(|rule| installed.next().is_some_and(|found| found.is(rule)))
    }

    pub(super) fn chain(&self, name: &str) -> impl Iterator<Item = &Installed> {
        self.rules.iter().filter(move |rule| rule.chain == name)
    }

    /// The subnets that have a rule, and whose they are; only rules that do what they claim.
    fn subnets(&self) -> impl Iterator<Item = (&str, IpNetwork)> {
        self.chain(POSTROUTING).filter_map(|rule| {
            let (label, subnet) = ruleset::claim(rule)?;
            rule.is(&ruleset::subnet_rule(label, subnet))
                .then_some((label, subnet))
        })
    }

    fn exempts(&self, label: &str, subnet: IpNetwork) -> bool {
        self.chain(EXEMPT).any(|rule| {
            ruleset::claim(rule).is_some_and(|(whose, destination)| {
                whose == label
                    && covers(destination, subnet)
                    && rule.is(&ruleset::exemption(label, destination))
            })
        })
    }
}

impl Lack {
    /// Adds to the batch what makes good for it.
    pub(super) fn mend(
        &self,
        nft: &mut Nft,
        batch: &mut Batch,
        seen: &Seen<'_>,
    ) -> Result<(), Error> {
        match self {
            Lack::Base => mend_base(nft, batch, seen)?,
            Lack::Policy { chain, rules } => {
                if seen.chain(chain).next().is_some() {
                    batch.flush_chain(TABLE, chain);
                } else if !nft.has_chain(TABLE, chain)? {
                    batch.add_chain(TABLE, chain, None);
                }
                for rule in rules {
                    batch.append_rule(TABLE, chain, rule);
                }
            }
            Lack::Subnet { label, subnet } => {
                batch.append_rule(TABLE, POSTROUTING, &ruleset::subnet_rule(label, *subnet));
            }
            Lack::Exemption { label, destination } => {
                batch.append_rule(TABLE, EXEMPT, &ruleset::exemption(label, *destination));
            }
            Lack::Pod {
                address,
                have,
                wish,
            } => {
                let protocol = Protocol::of(*address);
                if let Some(element) = have {
                    remove_pod(nft, batch, protocol, &element.key)?;
                }
                if let Some(element) = wish {
                    add_pod(nft, batch, protocol, element, have.is_some())?;
                }
            }
        }
        Ok(())
    }
}

/// Adds what is missing of the table, its sets and shared chains. Whatever of the first rules is
/// there gives way to all of them, in their order, in front of the rest.
fn mend_base(nft: &mut Nft, batch: &mut Batch, seen: &Seen<'_>) -> Result<(), Error> {
    if !nft.has_table(TABLE)? {
        batch.add_table(TABLE);
    }
    for set in &SETS {
        if !nft.has_set(TABLE, set.name)? {
            batch.add_set(TABLE, set);
        }
    }
    for (chain, hook) in CHAINS {
        if !nft.has_chain(TABLE, chain)? {
            batch.add_chain(TABLE, chain, hook);
        }
        let base = ruleset::base(chain);
        if seen.begins_with(chain, &base) {
            continue;
        }
        for rule in seen
            .chain(chain)
            .filter(|rule| base.iter().any(|first| rule.is(first)))
        {
            batch.delete_rule(TABLE, chain, rule.handle);
        }
        for rule in base.iter().rev() {
            batch.insert_rule(TABLE, chain, rule);
        }
    }
    Ok(())
}

fn add_pod(
    nft: &mut Nft,
    batch: &mut Batch,
    protocol: Protocol,
    element: &Element,
    replaces: bool,
) -> Result<(), Error> {
    batch.add_element(TABLE, ruleset::pods(protocol), element);
    let peers = ruleset::peers(protocol);
    if replaces || nft.element(TABLE, peers, &element.key)?.is_none() {
        batch.add_element(
            TABLE,
            peers,
            &Element {
                verdict: None,
                ..element.clone()
            },
        );
    }
    Ok(())
}

/// Adds the deletion of a single pod, as source and as destination.
pub(super) fn remove_pod(
    nft: &mut Nft,
    batch: &mut Batch,
    protocol: Protocol,
    key: &[u8],
) -> Result<(), Error> {
    batch.delete_element(TABLE, ruleset::pods(protocol), key);
    let peers = ruleset::peers(protocol);
    if nft.element(TABLE, peers, key)?.is_some() {
        batch.delete_element(TABLE, peers, key);
    }
    Ok(())
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lack::Base => write!(f, "{TABLE} is not there or lacks what every network needs"),
            Lack::Policy { chain, .. } => {
                write!(
                    f,
                    "chain {chain} of {TABLE} does not hold the network's rules"
                )
            }
            Lack::Subnet { label, subnet } => {
                write!(
                    f,
                    "{TABLE} has no rule that masquerades {subnet} for network {label}"
                )
            }
            Lack::Exemption { label, destination } => {
                write!(
                    f,
                    "{TABLE} has no rule that exempts {destination} of network {label}"
                )
            }
            Lack::Pod { address, have, .. } => {
                let set = ruleset::pods(Protocol::of(*address));
                match have
                    .as_ref()
                    .map(|element| element.comment.as_deref().unwrap_or_default())
                {
                    Some(whose) => write!(
                        f,
                        "map {set} of {TABLE} treats {address} as that of another: \"{whose}\""
                    ),
                    None => write!(f, "map {set} of {TABLE} has no element for {address}"),
                }
            }
        }
    }
}
