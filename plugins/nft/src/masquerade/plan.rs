// SPDX-License-Identifier: Apache-2.0
//! The difference between what is wished and what the table holds: ADD mends it, CHECK tells it.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::Masquerade;
use super::ruleset::{self, CHAINS, EXEMPT, POSTROUTING, RESERVE, TABLE, covers, subnet_of};
use crate::rule::{longest, octets};
use crate::{Element, Error, Installed, Nft, Protocol, Rule, Verdict, comment};

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
        lacks.extend(self.lacks_policy(&chain, wish.exempt));
        let comment = format!("{label} {}", wish.owner);
        for address in wish.addresses {
            if let Some(lack) = self.lacks_exemption(&label, *address) {
                push_new(&mut lacks, lack);
            }
            let verdict = Verdict::Goto(chain.clone());
            let pod = ruleset::pod(address.ip(), verdict, &comment);
            // A pod keeps its element when what was in the way of its subnet's rule is gone.
            let single =
                self.pod(address) == Some(&pod) || !self.is_served(&label, *address, &mut lacks);
            lacks.extend(self.lacks_of_pod(address, pod, single));
        }
        lacks
    }

    /// The rules of a network's chain.
    fn lacks_policy(&self, chain: &str, exempt: &[IpNetwork]) -> Option<Lack> {
        let reserved = self.chain(RESERVE).next().is_some();
        let rules = ruleset::policy(exempt, reserved);
        let right = self.begins_with(chain, &rules) && self.chain(chain).count() == rules.len();
        (!right).then(|| Lack::Policy {
            chain: chain.to_owned(),
            rules,
        })
    }

    /// What the owner of whole subnets lacks. A rule of another network's for the same packets stands
    /// before theirs or is none of theirs: it stays in force.
    pub(super) fn lacks_of_subnets(
        &self,
        owner: &str,
        subnets: &[IpNetwork],
        exempt: &[IpNetwork],
    ) -> Vec<Lack> {
        let label = ruleset::subnets_label(owner);
        let mut lacks = Vec::from_iter(self.lacks_base().then_some(Lack::Base));
        lacks.extend(self.lacks_policy(&ruleset::chain_of(&label), exempt));
        for subnet in subnets.iter().map(|subnet| subnet_of(*subnet)) {
            lacks.extend(self.lacks_exemption(&label, subnet));
            if !self.has_subnet(|whose, rule| whose == label && rule == subnet) {
                let label = label.clone();
                lacks.push(Lack::Subnet { label, subnet });
            }
        }
        lacks
    }

    /// The owner's rules about subnets that are not among these, with their chains.
    pub(super) fn no_longer_subnets(
        &self,
        owner: &str,
        subnets: &[IpNetwork],
    ) -> Vec<(&'static str, u64)> {
        let label = ruleset::subnets_label(owner);
        let keep: Vec<IpNetwork> = subnets.iter().map(|subnet| subnet_of(*subnet)).collect();
        let stale = |rule: &&Installed| {
            ruleset::claim(rule).is_some_and(|(whose, of)| whose == label && !keep.contains(&of))
        };
        let of_chain = |chain| {
            self.chain(chain)
                .filter(stale)
                .map(move |it| (chain, it.handle))
        };
        [POSTROUTING, EXEMPT]
            .into_iter()
            .flat_map(of_chain)
            .collect()
    }

    /// Whether a subnet's rule serves the address, or will: it is lacking, and not in conflict with
    /// another network's.
    fn is_served(&self, label: &str, address: IpNetwork, lacks: &mut Vec<Lack>) -> bool {
        if address.prefix() == longest(address) {
            return false;
        }
        let subnet = subnet_of(address);
        let overlaps = |rule| covers(rule, subnet) || covers(subnet, rule);
        if self.has_subnet(|whose, rule| whose == label && covers(rule, subnet)) {
            return true;
        }
        if self.has_subnet(|whose, rule| whose != label && overlaps(rule)) {
            return false;
        }
        push_new(
            lacks,
            Lack::Subnet {
                label: label.to_owned(),
                subnet,
            },
        );
        true
    }

    /// What an attachment lacks whose network is not masqueraded: a way past the rules that are, and
    /// for a routed subnet a place among the destinations that these spare.
    pub(super) fn lacks_of_excluded(&self, network: &str, owner: &str, routed: bool) -> Vec<Lack> {
        let label = comment::label(network);
        let comment = format!("{label} {owner}");
        let spared = routed && !self.lacks_base();
        let mut lacks = Vec::new();
        for (address, _) in &self.pods {
            let exemption = self.lacks_exemption(&label, **address);
            if let Some(lack) = exemption.filter(|_| spared) {
                push_new(&mut lacks, lack);
            }
            let host = IpNetwork::from(address.ip());
            // The node's agent serves whoever has no network that does.
            let covered = self
                .has_subnet(|whose, subnet| !ruleset::is_of_subnets(whose) && covers(subnet, host));
            let pod = ruleset::pod(address.ip(), Verdict::Accept, &comment);
            lacks.extend(self.lacks_of_pod(address, pod, covered));
        }
        lacks
    }

    /// The exemption of an address's subnet, which no packet of a pod is masqueraded on its way to.
    fn lacks_exemption(&self, label: &str, address: IpNetwork) -> Option<Lack> {
        let destination = subnet_of(address);
        let lacking = address.prefix() != longest(address) && !self.exempts(label, destination);
        lacking.then(|| Lack::Exemption {
            label: label.to_owned(),
            destination,
        })
    }

    /// The element of a pod: it need not be there unless the pod is to be served singly, and no
    /// other may be in its place.
    fn lacks_of_pod(&self, address: &IpNetwork, pod: Element, single: bool) -> Option<Lack> {
        let have = self.pod(address);
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

    fn pod(&self, address: &IpNetwork) -> Option<&Element> {
        let (_, element) = self.pods.iter().find(|(of, _)| *of == address)?;
        element.as_ref()
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

    pub(super) fn begins_with(&self, chain: &str, rules: &[Rule]) -> bool {
        let mut installed = self.chain(chain);
        rules
            .iter()
            .all(|rule| installed.next().is_some_and(|found| found.is(rule)))
    }

    pub(super) fn chain(&self, name: &str) -> impl Iterator<Item = &Installed> {
        self.rules.iter().filter(move |rule| rule.chain == name)
    }

    /// Whether a subnet has a rule such that `fits` its network's label and itself; a rule counts
    /// if it does what it claims.
    fn has_subnet(&self, fits: impl Fn(&str, IpNetwork) -> bool) -> bool {
        self.chain(POSTROUTING).any(|rule| {
            ruleset::claim(rule).is_some_and(|(label, subnet)| {
                fits(label, subnet) && rule.is(&ruleset::subnet_rule(label, subnet))
            })
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

/// Two addresses of one subnet lack the same.
fn push_new(lacks: &mut Vec<Lack>, lack: Lack) {
    if !lacks.contains(&lack) {
        lacks.push(lack);
    }
}
