// SPDX-License-Identifier: Apache-2.0
//! A [`Route`] as the kernel's message (`struct rtmsg` and `RTA_*` of
//! include/uapi/linux/rtnetlink.h) and back.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteMetric, RouteNextHop,
    RouteNextHopFlags, RouteProtocol, RouteType, RouteVia,
};

use super::Route;
use crate::address::family;

/// The message that adds a route.
pub(super) fn encode(route: &Route) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(route.dst.ip());
    message.header.destination_prefix_length = route.dst.prefix();
    message.header.protocol = RouteProtocol::Boot;
    message.header.kind = RouteType::Unicast;
    message.header.scope = route.effective_scope().into();
    message.header.flags.set(RouteFlags::Onlink, route.onlink);
    let attributes = &mut message.attributes;
    if route.dst.prefix() > 0 {
        attributes.push(RouteAttribute::Destination(route.dst.ip().into()));
    }
    attributes.extend(route.gateway.map(|gateway| next_hop(route.dst, gateway)));
    attributes.extend(route.oif.map(RouteAttribute::Oif));
    attributes.extend(route.priority.map(RouteAttribute::Priority));
    attributes.extend(
        route
            .source
            .map(|source| RouteAttribute::PrefSource(source.into())),
    );
    attributes.extend(metrics(route));
    let table = route.table.unwrap_or(super::MAIN);
    match u8::try_from(table) {
        Ok(table) => message.header.table = table,
        Err(_) => attributes.push(RouteAttribute::Table(table)),
    }
    message
}

/// The gateway of another family than the destination's has its own attribute.
fn next_hop(dst: IpNetwork, gateway: IpAddr) -> RouteAttribute {
    match (dst, gateway) {
        (IpNetwork::V4(_), IpAddr::V6(gateway)) => RouteAttribute::Via(RouteVia::Inet6(gateway)),
        _ => RouteAttribute::Gateway(gateway.into()),
    }
}

fn metrics(route: &Route) -> Option<RouteAttribute> {
    let mtu = route.mtu.map(RouteMetric::Mtu);
    let advmss = route.advmss.map(RouteMetric::Advmss);
    let metrics: Vec<_> = mtu.into_iter().chain(advmss).collect();
    (!metrics.is_empty()).then_some(RouteAttribute::Metrics(metrics))
}

/// The routes that an entry of the table stands for: one, or one for each next
/// hop.
pub(super) fn decode(message: &RouteMessage) -> Vec<Route> {
    let Some(mut route) = blank(&message.header, &message.attributes) else {
        return Vec::new();
    };
    let mut hops: &[RouteNextHop] = &[];
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::MultiPath(next_hops) => hops = next_hops,
            attribute => read(&mut route, attribute),
        }
    }
    if hops.is_empty() {
        return vec![route];
    }
    hops.iter().map(|hop| by_hop(route, hop)).collect()
}

fn blank(header: &RouteHeader, attributes: &[RouteAttribute]) -> Option<Route> {
    let destination = attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(destination) => ip(destination),
        _ => None,
    });
    let ip = destination.or_else(|| match header.address_family {
        AddressFamily::Inet => Some([0; 4].into()),
        AddressFamily::Inet6 => Some([0; 16].into()),
        _ => None,
    })?;
    let mut route = Route::to(IpNetwork::new(ip, header.destination_prefix_length).ok()?);
    route.table = Some(header.table.into());
    route.scope = Some(header.scope.into());
    route.onlink = header.flags.contains(RouteFlags::Onlink);
    Some(route)
}

fn by_hop(mut route: Route, hop: &RouteNextHop) -> Route {
    route.oif = Some(hop.interface_index);
    route.onlink = hop.flags.contains(RouteNextHopFlags::Onlink);
    for attribute in &hop.attributes {
        read(&mut route, attribute);
    }
    route
}

fn read(route: &mut Route, attribute: &RouteAttribute) {
    match attribute {
        RouteAttribute::Gateway(gateway) => route.gateway = ip(gateway),
        RouteAttribute::Via(RouteVia::Inet6(gateway)) => route.gateway = Some((*gateway).into()),
        RouteAttribute::Oif(oif) => route.oif = Some(*oif),
        RouteAttribute::Priority(priority) => route.priority = Some(*priority),
        RouteAttribute::Table(table) => route.table = Some(*table),
        RouteAttribute::PrefSource(source) => route.source = ip(source),
        RouteAttribute::Metrics(metrics) => read_metrics(route, metrics),
        _ => {}
    }
}

fn read_metrics(route: &mut Route, metrics: &[RouteMetric]) {
    for metric in metrics {
        match metric {
            RouteMetric::Mtu(mtu) => route.mtu = Some(*mtu),
            RouteMetric::Advmss(advmss) => route.advmss = Some(*advmss),
            _ => {}
        }
    }
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(v4) => Some((*v4).into()),
        RouteAddress::Inet6(v6) => Some((*v6).into()),
        _ => None,
    }
}
