// SPDX-License-Identifier: Apache-2.0
//! Nodes as a list of nodes says them: well-formed, but not yet held against each other, which
//! [`Cluster`](crate::Cluster) does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnetwork::IpNetwork;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Family, Mac, cidr, text};

/// A node of the cluster: an entry of `nodes.json`, of a configuration's `nodes`, or what a source
/// such as Kubernetes knows about one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Node {
    /// The node's name; one list has it once.
    #[serde(deserialize_with = "name")]
    pub name: String,
    /// Where the node takes encapsulated packets.
    #[serde(default)]
    pub underlay: Underlay,
    /// The MAC address of its VTEP over IPv4; none: [`Mac::of_node`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// The MAC address of its VTEP over IPv6; none: [`Mac::of_node`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac_v6: Option<Mac>,
    /// The networks of its pods, of both families.
    #[serde(
        rename = "podCIDRs",
        default,
        serialize_with = "cidr::texts",
        deserialize_with = "cidr::networks"
    )]
    pub pod_cidrs: Vec<IpNetwork>,
    /// Since when the source has it, in seconds since 1970, where a source tells; a file does not.
    /// Of two nodes that cannot be together the one that was there first stays.
    #[serde(skip)]
    pub since: u64,
}

impl Node {
    /// The MAC address of the node's VTEP of this family.
    #[must_use]
    pub fn mac(&self, family: Family) -> Mac {
        let given = match family {
            Family::V4 => self.mac,
            Family::V6 => self.mac_v6,
        };
        given.unwrap_or_else(|| Mac::of_node(&self.name, family))
    }

    /// The networks of the node's pods of this family, sorted, and none within another.
    #[must_use]
    pub fn pod_cidrs(&self, family: Family) -> Vec<IpNetwork> {
        let cidrs = self.pod_cidrs.iter().copied();
        cidr::merged(cidrs.filter(|cidr| Family::of_network(*cidr) == family))
    }
}

/// A node's name says which entry is meant, so it is never empty.
fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    if name.is_empty() {
        return Err(de::Error::custom("the node has an empty name"));
    }
    Ok(name)
}

/// A node's addresses on the network that carries the encapsulated packets.
///
/// In JSON: an address, or a list of at most one of each family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Underlay {
    /// The IPv4 address.
    pub v4: Option<Ipv4Addr>,
    /// The IPv6 address.
    pub v6: Option<Ipv6Addr>,
}

impl Underlay {
    /// The address of this family.
    #[must_use]
    pub fn address(self, family: Family) -> Option<IpAddr> {
        match family {
            Family::V4 => self.v4.map(IpAddr::V4),
            Family::V6 => self.v6.map(IpAddr::V6),
        }
    }
}

/// An address whose text a failure names.
struct Address(IpAddr);

/// A text that is not an address.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not an IP address")]
struct AddressParseError(String);

impl FromStr for Address {
    type Err = AddressParseError;

    fn from_str(text: &str) -> Result<Self, AddressParseError> {
        let address = text.parse().map(Self);
        address.map_err(|_| AddressParseError(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Underlay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut underlay = Self::default();
        for Address(address) in text::one_or_many(deserializer)? {
            let before = match address {
                IpAddr::V4(v4) => underlay.v4.replace(v4).map(IpAddr::V4),
                IpAddr::V6(v6) => underlay.v6.replace(v6).map(IpAddr::V6),
            };
            if let Some(before) = before {
                return Err(de::Error::custom(format_args!(
                    "{before} and {address} are two underlay addresses of one family"
                )));
            }
        }
        Ok(underlay)
    }
}

impl Serialize for Underlay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let addresses = Family::ALL.map(|family| self.address(family));
        serializer.collect_seq(addresses.into_iter().flatten())
    }
}
