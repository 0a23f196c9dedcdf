// SPDX-License-Identifier: Apache-2.0
//! What an IPAM result means for both ends of the pair. Pure; the kernel is told elsewhere.

use attachment::{Layer3, refuse_own_gateway};
use cni::{AddResult, Code, Error, Ip};
use ipnetwork::IpNetwork;
use std::net::IpAddr;

/// Index of the container interface in the result's `interfaces`.
pub(crate) const CONTAINER: usize = 1;

/// Layer 3 of an attachment, its subnets reached by their gateways.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Addresses and routes of the sandbox.
    pub(crate) layer3: Layer3,
    /// The gateways' addresses, each alone, that the host's end gets.
    pub(crate) gateways: Vec<IpNetwork>,
    /// The attachment's addresses, each alone, that the host has routes to.
    pub(crate) hosts: Vec<IpNetwork>,
}

impl Plan {
    /// What the IPAM plugin said, as ptp needs it; an error when it gave no address, or one without
    /// a gateway to stand for the host.
    pub(crate) fn new(ipam: &AddResult) -> Result<Self, Error> {
        let layer3 = Layer3 {
            via_gateway: true,
            ..Layer3::of_ipam(ipam, CONTAINER)?
        };
        let mut gateways = Vec::new();
        let mut hosts = Vec::new();
        for ip in &layer3.ips {
            let gateway = gateway_of(ip)?;
            refuse_own_gateway(ip.address, gateway)?;
            push_new(&mut gateways, gateway);
            push_new(&mut hosts, ip.address.ip());
        }
        Ok(Self {
            layer3,
            gateways,
            hosts,
        })
    }
}

fn gateway_of(ip: &Ip) -> Result<IpAddr, Error> {
    let of_family = |gateway: &IpAddr| gateway.is_ipv4() == ip.address.is_ipv4();
    ip.gateway.filter(of_family).ok_or_else(|| {
        let msg = format!(
            "IPAM plugin returned no gateway for {}, which ptp needs",
            ip.address
        );
        Error::new(Code::DELEGATE, msg)
            .with_details("the gateway is the address that the host has on its end of the pair")
    })
}

fn push_new(networks: &mut Vec<IpNetwork>, address: IpAddr) {
    let alone = IpNetwork::from(address);
    if !networks.contains(&alone) {
        networks.push(alone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(ips: &[(&str, Option<&str>)]) -> Result<Plan, Error> {
        let ip = |(address, gateway): &(&str, Option<&str>)| Ip {
            address: address.parse().unwrap(),
            gateway: gateway.map(|gateway| gateway.parse().unwrap()),
            interface: None,
        };
        Plan::new(&AddResult {
            ips: ips.iter().map(ip).collect(),
            ..AddResult::default()
        })
    }

    fn texts(networks: &[IpNetwork]) -> Vec<String> {
        networks.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_host_stands_for_each_gateway_once() {
        let plan = plan(&[
            ("10.1.2.3/24", Some("10.1.2.1")),
            ("10.1.2.4/24", Some("10.1.2.1")),
            ("fd00::3/64", Some("fd00::1")),
        ]);
        let plan = plan.unwrap();
        assert_eq!(texts(&plan.gateways), ["10.1.2.1/32", "fd00::1/128"]);
        assert_eq!(
            texts(&plan.hosts),
            ["10.1.2.3/32", "10.1.2.4/32", "fd00::3/128"]
        );
        assert_eq!(plan.layer3.ips[2].interface, Some(CONTAINER));
    }

    #[test]
    fn what_leaves_the_host_without_an_address_is_refused() {
        let error = plan(&[]).unwrap_err();
        assert_eq!(error.msg, "IPAM plugin returned missing IP config");
        for gateway in [None, Some("fd00::1")] {
            let error = plan(&[("10.1.2.3/24", gateway)]).unwrap_err();
            assert_eq!(error.code, Code::DELEGATE);
            assert!(error.msg.contains("no gateway for 10.1.2.3/24"));
        }
        let error = plan(&[("10.1.2.1/24", Some("10.1.2.1"))]).unwrap_err();
        assert_eq!(error.code, Code::ADDRESS_UNAVAILABLE);
    }
}
