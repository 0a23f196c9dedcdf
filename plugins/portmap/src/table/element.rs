// SPDX-License-Identifier: Apache-2.0
//! Mappings as elements of the maps, and back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use nft::{Element, Error, Nft, Protocol, Value, Verdict};

use crate::mapping::{HostEnd, Mapping, Transport};
use crate::maps::Maps;
use crate::ruleset::TABLE;

/// A mapping that the table holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// The mapping.
    pub(crate) mapping: Mapping,
    /// Whose it is.
    pub(crate) holder: String,
    /// The elements' key.
    pub(super) key: Vec<u8>,
}

/// The maps that a mapping is in.
pub(super) fn maps_of(host: &HostEnd) -> Maps {
    Maps::of(host.protocol, host.address.is_some())
}

/// The key of a mapping, as the packet carries it, each part padded to four bytes.
pub(super) fn key_of(host: &HostEnd) -> Vec<u8> {
    let mut key = host.address.map(octets).unwrap_or_default();
    key.extend([host.transport as u8, 0, 0, 0]);
    key.extend(padded(host.port));
    key
}

/// The element that leads to the network's chain, and the one that leads to the container.
pub(super) fn elements(mapping: &Mapping, holder: &str, chain: &str) -> [Element; 2] {
    let mut target = octets(mapping.target.ip());
    target.extend(padded(mapping.target.port()));
    let element = |value| Element {
        key: key_of(&mapping.host),
        value: Some(value),
        comment: Some(holder.to_owned()),
    };
    [
        element(Value::Verdict(Verdict::Goto(chain.to_owned()))),
        element(Value::Bytes(target)),
    ]
}

/// The mappings in the maps of one kind.
pub(super) fn read(nft: &mut Nft, maps: Maps) -> Result<Vec<Held>, Error> {
    let elements = nft.elements(TABLE, maps.targets())?;
    Ok(elements.iter().filter_map(|it| held(maps, it)).collect())
}

/// The mapping that an element of a map to containers stands for.
pub(super) fn held(maps: Maps, element: &Element) -> Option<Held> {
    let width = match maps.protocol {
        Protocol::V4 => 4,
        Protocol::V6 => 16,
    };
    let (address, rest) = match maps.addressed {
        true => {
            let (address, rest) = element.key.split_at_checked(width)?;
            (Some(address_of(address)?), rest)
        }
        false => (None, &*element.key),
    };
    let Some(Value::Bytes(target)) = &element.value else {
        return None;
    };
    let (target, port) = target.split_at_checked(width)?;
    let host = HostEnd {
        protocol: maps.protocol,
        address,
        transport: Transport::of(*rest.first()?)?,
        port: port_of(rest.get(4..)?)?,
    };
    Some(Held {
        mapping: Mapping {
            host,
            target: SocketAddr::new(address_of(target)?, port_of(port)?),
        },
        holder: element.comment.clone().unwrap_or_default(),
        key: element.key.clone(),
    })
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn address_of(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        return Some(Ipv4Addr::from(octets).into());
    }
    let octets = <[u8; 16]>::try_from(octets).ok()?;
    Some(Ipv6Addr::from(octets).into())
}

fn padded(port: u16) -> [u8; 4] {
    let [high, low] = port.to_be_bytes();
    [high, low, 0, 0]
}

fn port_of(octets: &[u8]) -> Option<u16> {
    octets.first_chunk().copied().map(u16::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_is_read_back() {
        let cases = [
            (None, "10.1.0.5:80", Transport::Udp),
            (Some("192.0.2.2"), "10.1.0.5:80", Transport::Tcp),
            (None, "[fd00::5]:80", Transport::Sctp),
            (Some("2001:db8::2"), "[fd00::5]:80", Transport::Tcp),
        ];
        for (address, target, transport) in cases {
            let target: SocketAddr = target.parse().unwrap();
            let host = HostEnd {
                protocol: Protocol::of(target.ip()),
                address: address.map(|text| text.parse().unwrap()),
                transport,
                port: 8080,
            };
            let mapping = Mapping { host, target };
            let [_, element] = elements(&mapping, "net id eth0", "chain");
            let held = held(maps_of(&host), &element).unwrap();
            assert_eq!((held.mapping, &*held.holder), (mapping, "net id eth0"));
        }
    }
}
