// SPDX-License-Identifier: Apache-2.0
//! Ethernet addresses of VTEPs. They follow from the node's name, so that a node has the same one
//! after every boot and all nodes know it without being told.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::{Family, text};

/// An Ethernet (EUI-48) address, in transmission order.
///
/// Displays as `aa:bb:cc:dd:ee:ff`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

/// The group bit of the first byte (IEEE 802-2014, section 8.2).
const GROUP: u8 = 0x01;
/// The universal/local bit of the first byte (section 8.4).
const LOCAL: u8 = 0x02;

impl Mac {
    /// The address of the VTEP of the node with this name: unicast, locally administered, and the
    /// same at every call. Two of 65,000 nodes share one with a probability of 1 in 30,000.
    #[must_use]
    pub fn of_node(name: &str, family: Family) -> Self {
        let label: &[u8] = match family {
            Family::V4 => b"podwire vtep ipv4\0",
            Family::V6 => b"podwire vtep ipv6\0",
        };
        let digest = Sha256::new_with_prefix(label).chain_update(name).finalize();
        let mut octets = [0; 6];
        octets.copy_from_slice(&digest[..6]);
        octets[0] = (octets[0] & !GROUP) | LOCAL;
        Self(octets)
    }

    /// Whether it can be a station's address: no group's, and not all zero, which in a VXLAN
    /// device's forwarding table stands for every unknown address.
    #[must_use]
    pub fn is_unicast(self) -> bool {
        self.0[0] & GROUP == 0 && self.0 != [0; 6]
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A text that is not an Ethernet address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a MAC address such as 02:00:5e:00:53:01")]
pub struct MacParseError(String);

/// Reads `aa:bb:cc:dd:ee:ff`, in any case: the form of flannel's annotations and of `ip link`.
impl FromStr for Mac {
    type Err = MacParseError;

    fn from_str(text: &str) -> Result<Self, MacParseError> {
        let octet = |digits: &str| {
            let hexadecimal = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_hexdigit());
            hexadecimal.then(|| u8::from_str_radix(digits, 16).ok())?
        };
        let octets: Option<Vec<u8>> = text.split(':').map(octet).collect();
        octets
            .and_then(|octets| octets.try_into().ok())
            .map(Self)
            .ok_or_else(|| MacParseError(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Mac {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::parse(deserializer)
    }
}

impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints() {
        let mac: Mac = "0A:58:0a:01:02:ff".parse().unwrap();
        assert_eq!(mac, Mac([0x0a, 0x58, 0x0a, 1, 2, 0xff]));
        assert_eq!(mac.to_string(), "0a:58:0a:01:02:ff");
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "0a:58:0a:01:02",
            "0a:58:0a:01:02:ff:00",
            "0a:58:0a:01:02:f",
            "0a:58:0a:01:02:+f",
            "0a-58-0a-01-02-ff",
            "0g:58:0a:01:02:ff",
            "ä:58:0a:01:02:ff",
        ] {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
        let error = "0a".parse::<Mac>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"0a\" is not a MAC address such as 02:00:5e:00:53:01"
        );
    }

    /// A node's address is on the wire and in its peers' tables: it may never change.
    #[test]
    fn a_node_keeps_its_address_for_ever() {
        let mac = |name, family| Mac::of_node(name, family).to_string();
        assert_eq!(mac("node-1", Family::V4), "6e:54:1b:bc:15:68");
        assert_eq!(mac("node-1", Family::V6), "ba:59:a7:54:42:d3");
        assert_eq!(mac("", Family::V4), "b2:98:bb:fa:b4:c1");
    }

    #[test]
    fn derived_addresses_are_local_and_unicast() {
        for index in 0..1000 {
            let mac = Mac::of_node(&format!("node-{index}"), Family::V6);
            assert!(mac.is_unicast() && mac.0[0] & 3 == 2, "{mac}");
        }
    }

    #[test]
    fn groups_and_zero_are_not_unicast() {
        for text in [
            "00:00:00:00:00:00",
            "ff:ff:ff:ff:ff:ff",
            "33:33:00:00:00:01",
        ] {
            assert!(!text.parse::<Mac>().unwrap().is_unicast(), "{text}");
        }
    }
}
