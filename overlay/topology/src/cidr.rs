// SPDX-License-Identifier: Apache-2.0
//! Networks as configurations write them, and how two of them lie to each other.

use std::net::IpAddr;
use std::str::FromStr;

use ipnetwork::IpNetwork;
use serde::de::Deserializer;
use serde::ser::Serializer;

use crate::text;

/// A network, such as `10.200.1.0/24`; host bits are cleared.
///
/// `IpNetwork` by itself also reads a bare address and a netmask, which in a configuration are
/// mistakes.
struct Cidr(IpNetwork);

/// A text that is not a network.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a CIDR such as 10.200.1.0/24")]
struct CidrParseError(String);

impl FromStr for Cidr {
    type Err = CidrParseError;

    fn from_str(text: &str) -> Result<Self, CidrParseError> {
        let parse = || {
            let (address, prefix) = text.split_once('/')?;
            let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
            let prefix = digits.then(|| prefix.parse().ok())??;
            IpNetwork::new(address.parse().ok()?, prefix).ok()
        };
        parse()
            .map(|network| Self(truncated(network)))
            .ok_or_else(|| CidrParseError(text.to_owned()))
    }
}

/// For `serde(deserialize_with)`: one network, or a list of them.
pub(crate) fn networks<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<IpNetwork>, D::Error> {
    let cidrs = text::one_or_many(d)?;
    Ok(cidrs.into_iter().map(|Cidr(network)| network).collect())
}

/// For `serde(serialize_with)`: the list of texts that [`networks`] reads.
pub(crate) fn texts<S: Serializer>(networks: &[IpNetwork], s: S) -> Result<S::Ok, S::Error> {
    s.collect_seq(networks.iter().map(IpNetwork::to_string))
}

/// The network without host bits.
pub(crate) fn truncated(network: IpNetwork) -> IpNetwork {
    IpNetwork::new(network.network(), network.prefix()).expect("the prefix length was valid before")
}

/// A network of one address.
pub(crate) fn host(address: IpAddr) -> IpNetwork {
    IpNetwork::from(address)
}

/// Whether all addresses of `inner` are addresses of `outer`.
pub(crate) fn holds(outer: IpNetwork, inner: IpNetwork) -> bool {
    outer.prefix() <= inner.prefix() && outer.contains(inner.ip())
}

/// Sorts the networks and leaves out what another of them holds already, so that no two overlap.
pub(crate) fn merged(networks: impl IntoIterator<Item = IpNetwork>) -> Vec<IpNetwork> {
    let mut networks: Vec<_> = networks.into_iter().map(truncated).collect();
    networks.sort_unstable_by_key(|network| (network.ip(), network.prefix()));
    // Networks nest or are apart: whatever holds one stands directly before those that it holds.
    networks.dedup_by(|inner, outer| holds(*outer, *inner));
    networks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> IpNetwork {
        text.parse::<Cidr>().unwrap().0
    }

    #[test]
    fn host_bits_are_cleared() {
        assert_eq!(cidr("10.1.2.3/24").to_string(), "10.1.2.0/24");
        assert_eq!(cidr("fd00::1/64").to_string(), "fd00::/64");
    }

    #[test]
    fn everything_but_address_and_prefix_length_is_refused() {
        for text in [
            "",
            "/",
            "10.0.0.0",
            "10.0.0.0/",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/255.0.0.0",
            "10.0.0.0/+8",
            " 10.0.0.0/8",
            "fe80::%eth0/64",
        ] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
        let error = "10.0.0.0".parse::<Cidr>().err().unwrap();
        assert_eq!(
            error.to_string(),
            "\"10.0.0.0\" is not a CIDR such as 10.200.1.0/24"
        );
    }

    #[test]
    fn a_network_holds_itself_and_its_parts() {
        assert!(holds(cidr("10.0.0.0/8"), cidr("10.0.0.0/8")));
        assert!(holds(cidr("10.0.0.0/8"), cidr("10.255.0.0/16")));
        assert!(!holds(cidr("10.0.0.0/16"), cidr("10.0.0.0/8")));
        assert!(!holds(cidr("10.0.0.0/16"), cidr("10.1.0.0/16")));
        assert!(!holds(cidr("0.0.0.0/0"), cidr("::/0")));
    }

    #[test]
    fn merged_networks_are_apart() {
        let texts = [
            "10.0.1.0/24",
            "10.0.0.0/25",
            "10.0.1.128/25",
            "10.0.1.0/25",
            "10.0.1.0/24",
            "fd00::/64",
            "10.0.2.0/24",
        ];
        let merged = merged(texts.map(cidr));
        let merged: Vec<_> = merged.iter().map(IpNetwork::to_string).collect();
        assert_eq!(
            merged,
            ["10.0.0.0/25", "10.0.1.0/24", "10.0.2.0/24", "fd00::/64"]
        );
    }
}
