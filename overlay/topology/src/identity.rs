// SPDX-License-Identifier: Apache-2.0
//! Which of the nodes this one is.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::{Family, Node};

/// By what a node knows itself. One list, and one configuration, then serves all nodes.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// The name that the operator gives this node; it wins over everything else.
    pub named: Option<&'a str>,
    /// The addresses of this node's links, in any order.
    pub addresses: &'a [IpAddr],
    /// The host name.
    pub hostname: &'a str,
}

impl Identity<'_> {
    /// This node's name in a list: the one given; else that of the entry with an underlay address
    /// of this node; else the host name.
    ///
    /// # Errors
    /// When entries of different names have addresses of this node, or when nothing is given and
    /// no entry has such an address or the host name. A given name may be missing in the list:
    /// that is for [`crate::Cluster`] to say.
    pub fn among(&self, nodes: &[Node]) -> Result<String, Unidentified> {
        if let Some(name) = self.named {
            return Ok(name.to_owned());
        }
        let own = nodes.iter().filter(|node| self.has_underlay_of(node));
        let names: BTreeSet<_> = own.map(|node| node.name.as_str()).collect();
        let mut names = names.into_iter();
        match (names.next(), names.next()) {
            (Some(one), Some(other)) => Err(Unidentified::Ambiguous {
                one: one.to_owned(),
                other: other.to_owned(),
            }),
            (Some(name), None) => Ok(name.to_owned()),
            (None, _) if nodes.iter().any(|node| node.name == self.hostname) => {
                Ok(self.hostname.to_owned())
            }
            (None, _) => Err(Unidentified::Unknown {
                hostname: self.hostname.to_owned(),
                nodes: nodes.len(),
            }),
        }
    }

    fn has_underlay_of(&self, node: &Node) -> bool {
        let mut addresses = Family::ALL
            .into_iter()
            .filter_map(|family| node.underlay.address(family));
        addresses.any(|address| self.addresses.contains(&address))
    }
}

/// Why a node does not know which entry is its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unidentified {
    /// Entries of different names have addresses of this node.
    #[error(
        "this node has underlay addresses of node {one} and of node {other}: say by \"node\" which it is"
    )]
    Ambiguous {
        /// The first name.
        one: String,
        /// The next one.
        other: String,
    },
    /// No entry fits.
    #[error(
        "none of the {nodes} nodes in the list has an address of this node or its host name {hostname:?}"
    )]
    Unknown {
        /// The host name.
        hostname: String,
        /// How many nodes the list has.
        nodes: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NodeList;

    const LIST: &str = r#"[
        {"name": "a", "underlay": "192.0.2.1", "podCIDRs": ["10.0.0.0/24"]},
        {"name": "b", "underlay": ["192.0.2.2", "2001:db8::2"], "podCIDRs": ["10.0.1.0/24"]},
        {"name": "c", "underlay": [], "podCIDRs": ["10.0.2.0/24"]}
    ]"#;

    fn among(named: Option<&str>, addresses: &[&str], hostname: &str) -> Result<String, String> {
        let nodes = NodeList::parse(LIST.as_bytes()).unwrap().nodes;
        let addresses: Vec<_> = addresses.iter().map(|it| it.parse().unwrap()).collect();
        let identity = Identity {
            named,
            addresses: &addresses,
            hostname,
        };
        identity.among(&nodes).map_err(|error| error.to_string())
    }

    #[test]
    fn a_given_name_then_an_address_then_the_host_name() {
        assert_eq!(among(Some("x"), &["192.0.2.1"], "b"), Ok("x".to_owned()));
        assert_eq!(among(None, &["192.0.2.1"], "b"), Ok("a".to_owned()));
        let both = ["127.0.0.1", "192.0.2.2", "2001:db8::2"];
        assert_eq!(among(None, &both, "a"), Ok("b".to_owned()));
        assert_eq!(among(None, &["127.0.0.1"], "c"), Ok("c".to_owned()));
    }

    #[test]
    fn what_fits_twice_or_not_at_all_is_said() {
        assert_eq!(
            among(None, &["192.0.2.1", "2001:db8::2"], "c").unwrap_err(),
            "this node has underlay addresses of node a and of node b: say by \"node\" which it is"
        );
        assert_eq!(
            among(None, &["127.0.0.1"], "host").unwrap_err(),
            "none of the 3 nodes in the list has an address of this node or its host name \"host\""
        );
    }
}
