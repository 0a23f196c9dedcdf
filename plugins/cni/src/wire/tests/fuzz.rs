// SPDX-License-Identifier: Apache-2.0
use std::net::IpAddr;

use ipnetwork::IpNetwork;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn network() -> impl Strategy<Value = IpNetwork> {
    any::<(IpAddr, u8)>().prop_map(|(address, prefix)| {
        let longest = if address.is_ipv4() { 32 } else { 128 };
        IpNetwork::new(address, prefix % (longest + 1)).unwrap()
    })
}

fn interface() -> impl Strategy<Value = Interface> {
    let text = || of(any::<String>().prop_filter("empty is absent", |text| !text.is_empty()));
    (
        any::<String>(),
        text(),
        of(1..=u32::MAX),
        text(),
        text(),
        text(),
    )
        .prop_map(|(name, mac, mtu, sandbox, socket_path, pci_id)| Interface {
            name,
            mac,
            mtu,
            sandbox,
            socket_path,
            pci_id,
        })
}

fn ip() -> impl Strategy<Value = Ip> {
    (network(), of(any::<IpAddr>()), of(any::<usize>())).prop_map(
        |(address, gateway, interface)| Ip {
            address,
            gateway,
            interface,
        },
    )
}

fn route() -> impl Strategy<Value = Route> {
    let positive = || of(1..=u32::MAX);
    let numbers = (
        positive(),
        positive(),
        positive(),
        of(any::<u32>()),
        of(any::<u8>()),
    );
    (network(), of(any::<IpAddr>()), numbers).prop_map(
        |(dst, gw, (mtu, advmss, priority, table, scope))| Route {
            dst,
            gw,
            mtu,
            advmss,
            priority,
            table,
            scope,
        },
    )
}

fn dns() -> impl Strategy<Value = Dns> {
    let texts = || vec(any::<String>(), 0..3);
    (texts(), of(".+"), texts(), texts()).prop_map(|(nameservers, domain, search, options)| Dns {
        nameservers,
        domain,
        search,
        options,
    })
}

fn result() -> impl Strategy<Value = AddResult> {
    (
        vec(interface(), 0..3),
        vec(ip(), 0..4),
        vec(route(), 0..4),
        dns(),
    )
        .prop_map(|(interfaces, ips, routes, dns)| AddResult {
            interfaces,
            ips,
            routes,
            dns,
        })
}

/// What of a result a version can say.
fn sayable(mut result: AddResult, version: Version) -> AddResult {
    if version < Version::V1_0_0 {
        for interface in &mut result.interfaces {
            (interface.mtu, interface.socket_path, interface.pci_id) = (None, None, None);
        }
    }
    if version < Version::V0_3_0 {
        let first = |v4: bool| {
            result
                .ips
                .iter()
                .find(|ip| ip.address.is_ipv4() == v4)
                .cloned()
        };
        let ips = [first(true), first(false)].into_iter().flatten();
        result.ips = ips
            .map(|ip| Ip {
                interface: None,
                ..ip
            })
            .collect();
        let has = |route: &Route| {
            result
                .ips
                .iter()
                .any(|ip| ip.address.is_ipv4() == route.dst.is_ipv4())
        };
        result.routes.retain(has);
        result.routes.sort_by_key(|route| route.dst.is_ipv6());
        let plain = |route: &Route| Route::new(route.dst, route.gw);
        result.routes = result.routes.iter().map(plain).collect();
        result.interfaces.clear();
    }
    result
}

proptest! {
    #[test]
    fn what_can_be_said_is_read_again(result in result(), version in select(&Version::ALL[..])) {
        match result.to_json(version) {
            Ok(json) => {
                let value = serde_json::from_str(&json).unwrap();
                let read = AddResult::parse(&value, version);
                prop_assert_eq!(read, Ok(sayable(result, version)));
            }
            Err(_) => prop_assert!(result.ips.is_empty() && version < Version::V0_3_0),
        }
    }

    #[test]
    fn an_address_is_read_as_it_was_written(network in network()) {
        let cidr = crate::Cidr(network);
        prop_assert_eq!(cidr.to_string().parse(), Ok(cidr));
    }

    #[test]
    fn any_address_is_read_or_refused(text in "[0-9a-f:./]{0,24}|.*") {
        if let Ok(cidr) = text.parse::<crate::Cidr>() {
            prop_assert_eq!(cidr.to_string().parse(), Ok(cidr));
        }
    }
}
