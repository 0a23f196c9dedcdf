// SPDX-License-Identifier: Apache-2.0
//! Addresses as configurations and results write them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnetwork::IpNetwork;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::Serializer;

use crate::{Code, Error};

/// An address with its prefix length, such as `10.1.2.3/24`; host bits are kept.
///
/// `IpNetwork` by itself also reads a bare address and a netmask, which in a configuration are
/// mistakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cidr(pub IpNetwork);

impl FromStr for Cidr {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            let (address, prefix) = text.split_once('/')?;
            let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
            let prefix = digits.then(|| prefix.parse().ok())??;
            IpNetwork::new(address.parse().ok()?, prefix).ok()
        };
        parse().map(Self).ok_or_else(|| {
            Error::new(
                Code::INVALID_CONFIG,
                format!("invalid CIDR address: {text}"),
            )
        })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Cidr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|error: Error| D::Error::custom(error.msg))
    }
}

/// For `serde(deserialize_with)`: an [`IpNetwork`] by way of [`Cidr`].
pub(crate) fn network<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IpNetwork, D::Error> {
    Cidr::deserialize(deserializer).map(|cidr| cidr.0)
}

/// For `serde(serialize_with)`: the text of [`network`].
pub(crate) fn text<S: Serializer>(network: &IpNetwork, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(network)
}

/// For `serde(deserialize_with)`: an address; the empty text is none, as for Go's `net.IP`.
pub(crate) fn address<'de, D: Deserializer<'de>>(d: D) -> Result<Option<IpAddr>, D::Error> {
    match Option::<String>::deserialize(d)?.as_deref() {
        None | Some("") => Ok(None),
        Some(text) => match text.parse() {
            Ok(address) => Ok(Some(address)),
            Err(_) => Err(D::Error::custom(format_args!("invalid IP address: {text}"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_bits_are_kept() {
        for text in ["10.1.2.3/24", "0.0.0.0/0", "2001:db8::1/64", "::/0"] {
            assert_eq!(text.parse::<Cidr>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn everything_but_address_and_prefix_length_is_refused() {
        let wrong = [
            "",
            "/",
            "10.0.0.1",
            "10.0.0.0/",
            "/24",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/255.0.0.0",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "10.0.0.0/8/8",
            "010.0.0.0/8",
            "10.0.0/8",
            "fe80::1%eth0/64",
            " 10.0.0.0/8",
            "10.0.0.0/8 ",
        ];
        for text in wrong {
            let error = text.parse::<Cidr>().unwrap_err();
            assert_eq!(error.msg, format!("invalid CIDR address: {text}"));
        }
    }
}
