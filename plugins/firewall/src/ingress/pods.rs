// SPDX-License-Identifier: Apache-2.0
//! Who is guarded, and what follows from it. Pure.

use std::collections::BTreeMap;

use nft::{Element, Set, Table, Value, Verdict};

use super::objects::{BRIDGES, INET, WITHIN};
use crate::conf::Policy;
use crate::owner::Owner;

/// `IFNAMSIZ`: the length of an interface's name as a key, with the zeros behind it.
const NAME: usize = 16;

/// An attachment whose network has a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guarded {
    /// Whose it is.
    pub(crate) owner: Owner,
    /// The bridge, or what host interface it has in place of one.
    pub(crate) bridge: String,
    /// The bridge's port that leads to the pod; only known to who guards it.
    pub(crate) port: Option<String>,
    /// The port that leads to the host's interface of its VLAN; only known to who guards it.
    pub(crate) gateway: Option<String>,
    /// What is forbidden.
    pub(crate) policy: Policy,
}

impl Guarded {
    /// The element of `ingress-pods`.
    pub(super) fn element(&self) -> Element {
        let Self { owner, policy, .. } = self;
        Element {
            key: pair(&owner.name, &self.bridge),
            value: None,
            comment: Some(format!("{} {}", owner.network, policy.as_str())),
        }
    }

    /// From [`Guarded::element`].
    pub(super) fn of_element(element: &Element) -> Option<Self> {
        let (network, policy) = element.comment.as_deref()?.rsplit_once(' ')?;
        let (name, bridge) = element.key.split_at_checked(NAME)?;
        Some(Self {
            owner: Owner {
                network: network.to_owned(),
                name: text(name),
            },
            bridge: text(bridge),
            port: None,
            gateway: None,
            policy: Policy::of(policy)?,
        })
    }

    /// The element of `ingress-ports`, if frames are to be kept from the port.
    pub(super) fn port(&self) -> Option<Element> {
        let port = self.port.as_ref();
        let port = port.filter(|_| self.policy == Policy::Isolated)?;
        Some(Element {
            key: key(port),
            value: None,
            comment: Some(self.owner.comment()),
        })
    }

    /// The element of `ingress-gateways`; nobody's, as all pods of the VLAN go by it.
    pub(super) fn gateway(&self) -> Option<Element> {
        let gateway = self.gateway.as_ref();
        let gateway = gateway.filter(|_| self.policy == Policy::Isolated)?;
        Some(Element {
            key: key(gateway),
            value: None,
            comment: None,
        })
    }
}

/// The elements of the sets that follow from who is guarded. Of several policies of a bridge the
/// strictest holds.
pub(super) fn derived(pods: &[Guarded]) -> [(Table<'static>, Set<'static>, Vec<Element>); 2] {
    let mut bridges = BTreeMap::new();
    for pod in pods {
        let isolated = bridges.entry(pod.bridge.as_str()).or_insert(false);
        *isolated |= pod.policy == Policy::Isolated;
    }
    let element = |key, value| Element {
        key,
        value,
        comment: None,
    };
    let names = bridges.keys().map(|name| element(key(name), None));
    let within = bridges.iter().map(|(name, isolated)| {
        let verdict = if *isolated {
            Verdict::Drop
        } else {
            Verdict::Accept
        };
        element(pair(name, name), Some(Value::Verdict(verdict)))
    });
    [
        (INET, BRIDGES, names.collect()),
        (INET, WITHIN, within.collect()),
    ]
}

/// Whether an element does at least what another one does.
pub(super) fn is_as_strict(held: &Element, wished: &Element) -> bool {
    held.value == wished.value || held.value == Some(Value::Verdict(Verdict::Drop))
}

fn pair(first: &str, second: &str) -> Vec<u8> {
    [key(first), key(second)].concat()
}

fn key(name: &str) -> Vec<u8> {
    let mut key = name.as_bytes().to_vec();
    key.resize(NAME, 0);
    key
}

fn text(key: &[u8]) -> String {
    let end = key.iter().position(|octet| *octet == 0);
    String::from_utf8_lossy(&key[..end.unwrap_or(key.len())]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guarded(name: &str, bridge: &str, policy: Policy) -> Guarded {
        Guarded {
            owner: Owner {
                network: "pods".to_owned(),
                name: name.to_owned(),
            },
            bridge: bridge.to_owned(),
            port: None,
            gateway: None,
            policy,
        }
    }

    #[test]
    fn an_element_tells_who_is_guarded() {
        let pod = guarded("veth0123456789a", "cni0", Policy::Isolated);
        assert_eq!(Guarded::of_element(&pod.element()), Some(pod));
    }

    #[test]
    fn the_strictest_policy_of_a_bridge_holds() {
        let pods = [
            guarded("a", "cni0", Policy::Isolated),
            guarded("b", "cni0", Policy::SameBridge),
            guarded("c", "cni1", Policy::SameBridge),
        ];
        let [(_, _, bridges), (_, _, within)] = derived(&pods);
        assert_eq!(bridges.len(), 2);
        let verdicts: Vec<_> = within.into_iter().filter_map(|it| it.value).collect();
        let verdict = Value::Verdict;
        assert_eq!(verdicts, [verdict(Verdict::Drop), verdict(Verdict::Accept)]);
    }
}
