// SPDX-License-Identifier: Apache-2.0
//! What an IPAM result means for sandbox and bridge: gateways, default routes, the route's next
//! hops. Pure; the kernel is told elsewhere.

use cni::{AddResult, Code, Error, Ip};
use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::conf::Conf;

/// Index of the container interface in the result's `interfaces`.
pub(crate) const CONTAINER: usize = 2;

/// Scope of a route that has no gateway, RT_SCOPE_LINK of `linux/rtnetlink.h`.
const SCOPE_LINK: u8 = 253;

/// Layer 3 of an attachment: the IPAM plugin's result, completed.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The attachment's addresses with their gateways, all on the container interface.
    pub(crate) ips: Vec<Ip>,
    /// The sandbox's routes in the order to make them, as the result reports them.
    pub(crate) routes: Vec<cni::Route>,
    /// Addresses that the bridge gets, with the prefix of the subnet.
    pub(crate) gateways: Vec<IpNetwork>,
}

impl Plan {
    /// Completes what the IPAM plugin said by what the configuration asks for; an error when it
    /// gave no address, or the one that the bridge would have.
    pub(crate) fn new(conf: &Conf, ipam: &AddResult) -> Result<Self, Error> {
        if ipam.ips.is_empty() {
            return Err(Error::new(
                Code::DELEGATE,
                "IPAM plugin returned missing IP config",
            ));
        }
        let mut plan = Self {
            routes: ipam.routes.clone(),
            ..Self::default()
        };
        for ip in &ipam.ips {
            let gateway = ip
                .gateway
                .or_else(|| conf.is_gateway.then(|| first_host(ip.address)));
            if let Some(gateway) = gateway.filter(|_| conf.is_gateway) {
                if gateway == ip.address.ip() {
                    let msg = format!("IPAM plugin returned the gateway's own address {gateway}");
                    return Err(Error::new(Code::ADDRESS_UNAVAILABLE, msg));
                }
                plan.add_gateway(gateway, ip.address.prefix());
            }
            plan.ips.push(Ip {
                address: ip.address,
                gateway,
                interface: Some(CONTAINER),
            });
        }
        if conf.is_default_gateway {
            plan.add_default_routes();
        }
        Ok(plan)
    }

    /// The addresses with their prefixes, without what else the result says of them.
    pub(crate) fn addresses(&self) -> Vec<IpNetwork> {
        self.ips.iter().map(|ip| ip.address).collect()
    }

    /// `route` as the kernel is to be told: by its own gateway, else by the family's first one.
    pub(crate) fn kernel_route(&self, route: &cni::Route, oif: u32) -> net::Route {
        let on_link = route.scope.is_some_and(|scope| scope >= SCOPE_LINK);
        let by_family = || self.gateway_of(route.dst.is_ipv4()).filter(|_| !on_link);
        net::Route {
            dst: route.dst,
            gateway: route.gw.or_else(by_family),
            oif: Some(oif),
            mtu: route.mtu,
            advmss: route.advmss,
            priority: route.priority,
            table: route.table,
            scope: route.scope,
            source: None,
            onlink: false,
        }
    }

    fn gateway_of(&self, ipv4: bool) -> Option<IpAddr> {
        self.ips
            .iter()
            .filter(|ip| ip.address.is_ipv4() == ipv4)
            .find_map(|ip| ip.gateway)
    }

    fn add_gateway(&mut self, address: IpAddr, prefix: u8) {
        if let Ok(gateway) = IpNetwork::new(address, prefix)
            && !self.gateways.contains(&gateway)
        {
            self.gateways.push(gateway);
        }
    }

    /// A default route by each family's gateway, unless the IPAM plugin gave one: a route without
    /// `gw` counts, since it gets that same gateway.
    fn add_default_routes(&mut self) {
        for default in [default_v4(), default_v6()] {
            let given = self.routes.iter().any(|route| route.dst == default);
            if let Some(gateway) = self.gateway_of(default.is_ipv4()).filter(|_| !given) {
                self.routes.push(cni::Route::new(default, Some(gateway)));
            }
        }
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
