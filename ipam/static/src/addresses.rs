// SPDX-License-Identifier: Apache-2.0
//! Addresses as they are written, and which of them no attachment can have.

use std::net::{IpAddr, Ipv6Addr};

use cni::{Cidr, Code, Error};
use ipnetwork::IpNetwork;

/// The bits before the IPv4 address in an IPv6 address that maps one (RFC 4291, section 2.5.5.2).
const MAPPED: u8 = 96;

/// An address of the attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// The address with its prefix length.
    pub(crate) network: IpNetwork,
    /// Its gateway.
    pub(crate) gateway: Option<IpAddr>,
}

impl Address {
    /// Reads `10.1.2.3/24`; none for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let Cidr(network) = text.parse().ok()?;
        let network = match network {
            IpNetwork::V6(mapping) if mapping.ip().to_ipv4_mapped().is_some() => {
                unmapped(mapping.ip(), mapping.prefix())?
            }
            network => network,
        };
        let gateway = None;
        Some(Self { network, gateway })
    }

    /// The same with a gateway.
    pub(crate) fn with_gateway(self, gateway: Option<IpAddr>) -> Self {
        let gateway = gateway.map(|gateway| gateway.to_canonical());
        Self { gateway, ..self }
    }

    /// Refuses what the kernel would refuse, or could do nothing with. A gateway outside the
    /// subnet is none of that: it is reached by a route, or by one that is said to be on the link.
    fn check(&self) -> Result<(), Error> {
        let Self { network, gateway } = self;
        let ip = network.ip();
        if ip.is_unspecified() || ip.is_multicast() {
            return Err(invalid(format!("no interface can have the address {ip}")));
        }
        match gateway {
            Some(gateway) if gateway.is_ipv4() != ip.is_ipv4() => Err(invalid(format!(
                "gateway {gateway} of address {network} is of the other family"
            ))),
            _ => Ok(()),
        }
    }
}

fn unmapped(ip: Ipv6Addr, prefix: u8) -> Option<IpNetwork> {
    let prefix = prefix.checked_sub(MAPPED)?;
    IpNetwork::new(IpAddr::V6(ip).to_canonical(), prefix).ok()
}

/// Refuses addresses of which one can't be, or that can't be together.
pub(crate) fn check(addresses: &[Address]) -> Result<(), Error> {
    for (index, address) in addresses.iter().enumerate() {
        address.check()?;
        let earlier = &addresses[..index];
        if earlier.iter().any(|it| it.network == address.network) {
            let msg = format!("address {} is given twice", address.network);
            return Err(invalid(msg));
        }
    }
    Ok(())
}

pub(crate) fn invalid(msg: impl Into<String>) -> Error {
    Error::new(Code::INVALID_CONFIG, msg)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str, gateway: Option<&str>) -> Address {
        let gateway = gateway.map(|gateway| gateway.parse().unwrap());
        Address::parse(text).unwrap().with_gateway(gateway)
    }

    #[test]
    fn an_ipv4_address_that_is_mapped_is_one() {
        let mapped = address("::ffff:10.1.2.3/120", Some("::ffff:10.1.2.1"));
        assert_eq!(mapped, address("10.1.2.3/24", Some("10.1.2.1")));
        assert_eq!(Address::parse("::ffff:10.1.2.3/64"), None);
    }

    #[test]
    fn host_bits_stay_and_everything_but_a_cidr_is_none() {
        assert_eq!(
            address("fd00::9/64", None).network.to_string(),
            "fd00::9/64"
        );
        for text in ["", "10.1.2.3", "10.1.2.3/33", "10.1.2.3/24 ", "a/24"] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_can_be_is_let_through() {
        let usable = [
            address("10.1.2.3/24", Some("10.1.2.1")),
            address("10.1.2.3/32", Some("169.254.1.1")),
            address("10.1.2.4/31", None),
            address("10.1.2.0/24", None),
            address("fd00::9/128", Some("fe80::1")),
        ];
        assert_eq!(check(&usable), Ok(()));
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (address, words) in [
            (address("0.0.0.0/0", None), "the address 0.0.0.0"),
            (address("224.0.0.5/24", None), "the address 224.0.0.5"),
            (address("ff02::1/64", None), "the address ff02::1"),
            (
                address("10.1.2.3/24", Some("fd00::1")),
                "gateway fd00::1 of address 10.1.2.3/24 is of the other family",
            ),
        ] {
            let error = check(&[address]).unwrap_err();
            assert!(error.msg.contains(words), "{error}");
        }
        let error = check(&[address("10.1.2.3/24", None); 2]).unwrap_err();
        assert_eq!(error.msg, "address 10.1.2.3/24 is given twice");
    }
}
