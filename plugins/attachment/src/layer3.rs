// SPDX-License-Identifier: Apache-2.0
//! What an IPAM result means for the sandbox: addresses, and the routes with their next hops. Pure;
//! the kernel is told elsewhere.

use cni::{AddResult, Code, Error, Ip};
use ipnetwork::IpNetwork;
use net::Route;
use std::net::IpAddr;

use crate::keys::subnet;

/// Scope of a route that has no gateway, RT_SCOPE_LINK of `linux/rtnetlink.h`.
const SCOPE_LINK: u8 = 253;

/// Layer 3 of an attachment.
#[derive(Clone, Debug, Default)]
pub struct Layer3 {
    /// The attachment's addresses with their gateways, all on the container interface.
    pub ips: Vec<Ip>,
    /// The sandbox's routes in the order to make them, as the result reports them.
    pub routes: Vec<cni::Route>,
    /// Whether also the addresses' own subnets are reached by their gateways: no neighbour but the
    /// gateway is spoken to.
    pub via_gateway: bool,
}

impl Layer3 {
    /// What the IPAM plugin said, for the interface of index `container` in the result.
    ///
    /// # Errors
    /// [`Code::DELEGATE`] when it gave no address.
    pub fn of_ipam(ipam: &AddResult, container: usize) -> Result<Self, Error> {
        if ipam.ips.is_empty() {
            return Err(Error::new(
                Code::DELEGATE,
                "IPAM plugin returned missing IP config",
            ));
        }
        let of_container = |ip: &Ip| Ip {
            interface: Some(container),
            ..ip.clone()
        };
        Ok(Self {
            ips: ipam.ips.iter().map(of_container).collect(),
            routes: ipam.routes.clone(),
            via_gateway: false,
        })
    }

    /// The addresses with their prefixes, without what else the result says of them.
    pub fn addresses(&self) -> Vec<IpNetwork> {
        self.ips.iter().map(|ip| ip.address).collect()
    }

    /// The first gateway of a family.
    pub fn gateway_of(&self, ipv4: bool) -> Option<IpAddr> {
        let of_family = |ip: &&Ip| ip.address.is_ipv4() == ipv4;
        self.ips.iter().filter(of_family).find_map(|ip| ip.gateway)
    }

    /// `route` as the kernel is to be told: by its own gateway, else by the family's first one.
    pub fn kernel_route(&self, route: &cni::Route) -> Route {
        let on_link = route.scope.is_some_and(|scope| scope >= SCOPE_LINK);
        let by_family = || self.gateway_of(route.dst.is_ipv4()).filter(|_| !on_link);
        Route {
            gateway: route.gw.or_else(by_family),
            mtu: route.mtu,
            advmss: route.advmss,
            priority: route.priority,
            table: route.table,
            scope: route.scope,
            ..Route::to(route.dst)
        }
    }

    /// The routes that stand in for those to the addresses' subnets: to the gateway by the link, to
    /// the subnet by the gateway. None unless [`Self::via_gateway`].
    pub fn routes_by_gateway(&self) -> Vec<Route> {
        let mut routes: Vec<Route> = Vec::new();
        for ip in self.ips.iter().filter(|_| self.via_gateway) {
            let Some(gateway) = ip.gateway else { continue };
            // IPv6 takes none that duplicates are still sought of, and chooses well by itself.
            let source = Some(ip.address.ip()).filter(IpAddr::is_ipv4);
            let host = IpNetwork::from(gateway);
            let to_gateway = Route {
                source,
                ..Route::to(host)
            };
            let to_subnet = Route {
                source,
                gateway: Some(gateway),
                ..Route::to(subnet(ip.address))
            };
            // Several addresses may share a gateway, or a subnet; one of /32 has none.
            for route in [to_gateway, to_subnet] {
                let own = route.dst == IpNetwork::from(ip.address.ip());
                if !own && !routes.iter().any(|there| there.dst == route.dst) {
                    routes.push(route);
                }
            }
        }
        routes
    }

    /// All routes as the kernel is to be told, in order: a gateway's comes before those by it.
    pub fn kernel_routes(&self) -> Vec<Route> {
        let given = self.routes.iter().map(|route| self.kernel_route(route));
        self.routes_by_gateway().into_iter().chain(given).collect()
    }

    /// The switches that must be on for the host to forward what these addresses send and get.
    pub fn forwarding(&self) -> impl Iterator<Item = &'static str> {
        forwarding(self.ips.iter().map(|ip| ip.address))
    }
}

/// Refuses an attachment that would have its gateway's address.
///
/// # Errors
/// [`Code::ADDRESS_UNAVAILABLE`].
pub fn refuse_own_gateway(address: IpNetwork, gateway: IpAddr) -> Result<(), Error> {
    if gateway != address.ip() {
        return Ok(());
    }
    let msg = format!("IPAM plugin returned the gateway's own address {gateway}");
    Err(Error::new(Code::ADDRESS_UNAVAILABLE, msg))
}

/// The forwarding switches, below `/proc/sys`, of the families of `addresses`.
pub fn forwarding(
    addresses: impl IntoIterator<Item = IpNetwork>,
) -> impl Iterator<Item = &'static str> {
    const SWITCHES: [(bool, &str); 2] = [
        (true, "net/ipv4/ip_forward"),
        (false, "net/ipv6/conf/all/forwarding"),
    ];
    let families: Vec<bool> = addresses.into_iter().map(|it| it.is_ipv4()).collect();
    SWITCHES
        .into_iter()
        .filter(move |(ipv4, _)| families.contains(ipv4))
        .map(|(_, path)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer3(ips: &[(&str, Option<&str>)]) -> Layer3 {
        let ip = |(address, gateway): &(&str, Option<&str>)| Ip {
            address: address.parse().unwrap(),
            gateway: gateway.map(|gateway| gateway.parse().unwrap()),
            interface: None,
        };
        Layer3 {
            ips: ips.iter().map(ip).collect(),
            routes: Vec::new(),
            via_gateway: true,
        }
    }

    fn routes(layer3: &Layer3) -> Vec<String> {
        let text = |route: &Route| match route.source {
            Some(source) => format!("{route} src {source}"),
            None => route.to_string(),
        };
        layer3.routes_by_gateway().iter().map(text).collect()
    }

    #[test]
    fn the_subnet_is_reached_by_its_gateway() {
        let both = layer3(&[
            ("10.1.2.3/24", Some("10.1.2.1")),
            ("fd00::3/64", Some("fd00::1")),
        ]);
        let wished = [
            "10.1.2.1/32 src 10.1.2.3",
            "10.1.2.0/24 via 10.1.2.1 src 10.1.2.3",
            "fd00::1/128",
            "fd00::/64 via fd00::1",
        ];
        assert_eq!(routes(&both), wished);
        let connected = Layer3 {
            via_gateway: false,
            ..both
        };
        assert!(connected.routes_by_gateway().is_empty());
    }

    #[test]
    fn addresses_that_share_gateway_or_subnet_share_the_routes() {
        let two = layer3(&[
            ("10.1.2.3/24", Some("10.1.2.1")),
            ("10.1.2.4/24", Some("10.1.2.1")),
            ("10.9.0.4/24", Some("10.1.2.1")),
        ]);
        let wished = [
            "10.1.2.1/32 src 10.1.2.3",
            "10.1.2.0/24 via 10.1.2.1 src 10.1.2.3",
            "10.9.0.0/24 via 10.1.2.1 src 10.9.0.4",
        ];
        assert_eq!(routes(&two), wished);
    }

    #[test]
    fn an_address_without_a_subnet_has_only_its_gateway() {
        let single = layer3(&[("10.1.2.3/32", Some("169.254.1.1")), ("fd00::3/128", None)]);
        assert_eq!(routes(&single), ["169.254.1.1/32 src 10.1.2.3"]);
    }

    #[test]
    fn each_family_has_its_switch() {
        let of = |text: &[&str]| {
            let addresses: Vec<IpNetwork> = text.iter().map(|it| it.parse().unwrap()).collect();
            forwarding(addresses).count()
        };
        assert_eq!(of(&["10.1.2.3/24"]), 1);
        assert_eq!(of(&["10.1.2.3/24", "fd00::3/64", "fd00::4/64"]), 2);
    }
}
