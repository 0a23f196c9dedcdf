// SPDX-License-Identifier: Apache-2.0
//! What an ADD has made, in the one form that all versions' results convert from and to.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use serde::{Deserialize, Deserializer, Serialize};

use crate::cidr;

/// The result of an ADD: all that exists for the attachment after this plugin and those before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddResult {
    /// Every interface made, on the host and in the container.
    pub interfaces: Vec<Interface>,
    /// The container's addresses.
    pub ips: Vec<Ip>,
    /// The container's routes.
    pub routes: Vec<Route>,
    /// What the container's resolver should use.
    pub dns: Dns,
}

impl AddResult {
    /// What the container's interface `ifname` has; plugins chained behind may have put addresses on
    /// interfaces of their own. An address that names no interface counts, too: before version
    /// 0.3.0 none does.
    pub fn container_ips(&self, ifname: &str) -> impl Iterator<Item = &Ip> {
        let is_containers = move |index| {
            let interface: Option<&Interface> = self.interfaces.get(index);
            interface.is_some_and(|it| it.sandbox.is_some() && it.name == ifname)
        };
        let ips = self.ips.iter();
        ips.filter(move |ip| ip.interface.is_none_or(is_containers))
    }

    /// The addresses of [`Self::container_ips`].
    pub fn container_addresses(&self, ifname: &str) -> Vec<IpNetwork> {
        self.container_ips(ifname).map(|ip| ip.address).collect()
    }
}

/// A network interface of the host or of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Interface {
    /// The interface's name.
    pub name: String,
    /// The hardware address, such as `02:00:5e:00:53:01`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub mac: Option<String>,
    /// The MTU in bytes (since 1.1.0).
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "positive")]
    pub mtu: Option<u32>,
    /// The value of `CNI_NETNS` for a container interface, none for a host interface.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub sandbox: Option<String>,
    /// The socket file of a vhost-user interface (since 1.1.0).
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub socket_path: Option<String>,
    /// The PCI address of the device (since 1.1.0).
    #[serde(
        rename = "pciID",
        skip_serializing_if = "Option::is_none",
        deserialize_with = "filled"
    )]
    pub pci_id: Option<String>,
}

/// An address of the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ip {
    /// The address itself, with the prefix length of its network.
    #[serde(serialize_with = "cidr::text", deserialize_with = "cidr::network")]
    pub address: IpNetwork,
    /// The gateway of that network.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "cidr::address"
    )]
    pub gateway: Option<IpAddr>,
    /// The index in [`AddResult::interfaces`] of the interface that has the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<usize>,
}

/// A route of the container; also an element of a configuration's `ipam.routes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The destination.
    #[serde(serialize_with = "cidr::text", deserialize_with = "cidr::network")]
    pub dst: IpNetwork,
    /// The next hop; none means the gateway of the destination's family.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "cidr::address"
    )]
    pub gw: Option<IpAddr>,
    /// The path MTU in bytes.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "positive"
    )]
    pub mtu: Option<u32>,
    /// The TCP maximum segment size in bytes that the host announces.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "positive"
    )]
    pub advmss: Option<u32>,
    /// The metric; the smaller is preferred.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "positive"
    )]
    pub priority: Option<u32>,
    /// The routing table's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<u32>,
    /// The scope by its kernel number (`RT_SCOPE_*`): 0 global, 253 link, 254 host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<u8>,
}

impl Route {
    /// A route without attributes.
    pub const fn new(dst: IpNetwork, gw: Option<IpAddr>) -> Self {
        Self {
            dst,
            gw,
            mtu: None,
            advmss: None,
            priority: None,
            table: None,
            scope: None,
        }
    }
}

/// Resolver settings; also a configuration's `dns`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dns {
    /// The addresses of name servers, most preferred first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nameservers: Vec<String>,
    /// The local domain.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub domain: Option<String>,
    /// The domains in which short names are searched.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub search: Vec<String>,
    /// Options for the resolver, such as `ndots:5`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

impl Dns {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Go leaves out a field that is `""`, so there the two mean the same.
fn filled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

/// Go leaves out a number that is 0, so there the two mean the same.
fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    Ok(Option::<u32>::deserialize(deserializer)?.filter(|number| *number != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn container_addresses_are_those_of_the_interface_and_those_of_none() {
        let interface = |name: &str, sandbox: Option<&str>| Interface {
            name: name.to_owned(),
            sandbox: sandbox.map(str::to_owned),
            ..Interface::default()
        };
        let ip = |address: &str, interface| Ip {
            address: address.parse().unwrap(),
            gateway: None,
            interface,
        };
        let result = AddResult {
            interfaces: vec![
                interface("eth0", None),
                interface("eth0", Some("/run/netns/a")),
                interface("eth1", Some("/run/netns/a")),
            ],
            ips: vec![
                ip("10.0.0.1/24", Some(0)),
                ip("10.0.0.2/24", Some(1)),
                ip("10.0.0.3/24", Some(2)),
                ip("10.0.0.4/24", Some(3)),
                ip("fd00::5/64", None),
            ],
            ..AddResult::default()
        };
        let addresses = result.container_addresses("eth0");
        let wished: [IpNetwork; 2] = ["10.0.0.2/24", "fd00::5/64"].map(|it| it.parse().unwrap());
        assert_eq!(addresses, wished);
    }
}
