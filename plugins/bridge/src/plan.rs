// SPDX-License-Identifier: Apache-2.0
//! What an IPAM result means for sandbox and bridge: gateways and default routes. Pure; the kernel
//! is told elsewhere.

use attachment::{Layer3, refuse_own_gateway};
use cni::{AddResult, Error};
use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::conf::Conf;

/// Index of the container interface in the result's `interfaces`.
pub(crate) const CONTAINER: usize = 2;

/// Layer 3 of an attachment: the IPAM plugin's result, completed.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Addresses and routes of the sandbox.
    pub(crate) layer3: Layer3,
    /// Addresses that the bridge gets, with the prefix of the subnet.
    pub(crate) gateways: Vec<IpNetwork>,
}

impl Plan {
    /// Completes what the IPAM plugin said by what the configuration asks for; an error when it
    /// gave no address, or the one that the bridge would have.
    pub(crate) fn new(conf: &Conf, ipam: &AddResult) -> Result<Self, Error> {
        let mut plan = Self {
            layer3: Layer3 {
                via_gateway: conf.route_via_gateway,
                ..Layer3::of_ipam(ipam, CONTAINER)?
            },
            gateways: Vec::new(),
        };
        if conf.is_gateway {
            for ip in &mut plan.layer3.ips {
                let gateway = *ip.gateway.get_or_insert_with(|| first_host(ip.address));
                refuse_own_gateway(ip.address, gateway)?;
                let on_bridge = IpNetwork::new(gateway, ip.address.prefix());
                plan.gateways
                    .extend(on_bridge.ok().filter(|it| !plan.gateways.contains(it)));
            }
        }
        if conf.is_default_gateway {
            plan.add_default_routes();
        }
        Ok(plan)
    }

    /// A default route by each family's gateway, unless the IPAM plugin gave one: a route without
    /// `gw` counts, since it gets that same gateway.
    fn add_default_routes(&mut self) {
        let Layer3 { routes, .. } = &self.layer3;
        let mut added = Vec::new();
        for default in [default_v4(), default_v6()] {
            let given = routes.iter().any(|route| route.dst == default);
            let gateway = self.layer3.gateway_of(default.is_ipv4());
            let gateway = gateway.filter(|_| !given);
            added.extend(gateway.map(|gateway| cni::Route::new(default, Some(gateway))));
        }
        self.layer3.routes.extend(added);
    }
}

fn default_v4() -> IpNetwork {
    IpNetwork::V4(Ipv4Network::new_checked(Ipv4Addr::UNSPECIFIED, 0).expect("0 is a prefix"))
}

fn default_v6() -> IpNetwork {
    IpNetwork::V6(Ipv6Network::new_checked(Ipv6Addr::UNSPECIFIED, 0).expect("0 is a prefix"))
}

/// The address after the subnet's own: what a gateway is that nobody named.
fn first_host(address: IpNetwork) -> IpAddr {
    match address.network() {
        IpAddr::V4(network) => Ipv4Addr::from_bits(network.to_bits().wrapping_add(1)).into(),
        IpAddr::V6(network) => Ipv6Addr::from_bits(network.to_bits().wrapping_add(1)).into(),
    }
}

#[cfg(test)]
mod tests;
