// SPDX-License-Identifier: Apache-2.0
//! Overlays and tables in any state, from so few values that everything meets everything.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;
use proptest::prelude::*;

use super::model::Kernel;
use super::*;
use crate::{Vtep, cidr, metric};

const LINKS: [u32; 3] = [DEVICE, UPLINK, 3];

fn pod_cidr(family: Family, index: u8) -> IpNetwork {
    match family {
        Family::V4 => IpNetwork::new(Ipv4Addr::new(10, 200, index, 0).into(), 24),
        Family::V6 => {
            let address = Ipv6Addr::new(0xfd00, 0, 0, index.into(), 0, 0, 0, 0);
            IpNetwork::new(address.into(), 64)
        }
    }
    .unwrap()
}

fn underlay(family: Family, index: u8) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(192, 0, 2, index).into(),
        Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, index.into()).into(),
    }
}

/// Six peers at most, whose CIDRs, underlay addresses and MAC addresses are dealt out anew.
pub(super) fn any_overlay(family: Family) -> impl Strategy<Value = Overlay> {
    let deal = || Just((0..8_u8).collect::<Vec<_>>()).prop_shuffle();
    (0..=6_usize, deal(), deal(), deal()).prop_map(move |(peers, cidrs, underlays, macs)| {
        let vtep = |index: usize| Vtep {
            node: format!("n{index}"),
            underlay: underlay(family, underlays[index]),
            mac: Mac([2, 0, 0, 0, 0, macs[index]]),
            // The first one has two.
            pod_cidrs: cidrs[index..]
                .iter()
                .take(if index == 6 { 2 } else { 1 })
                .map(|cidr| pod_cidr(family, *cidr))
                .collect(),
        };
        let network = ["10.200.0.0/16", "fd00::/48"][usize::from(family == Family::V6)];
        Overlay {
            family,
            network: vec![network.parse().unwrap()],
            own: vtep(6),
            peers: (0..peers).map(vtep).collect(),
        }
    })
}

pub(super) fn any_subnets(family: Family) -> impl Strategy<Value = Vec<Subnet>> {
    let bits: u8 = if family == Family::V4 { 32 } else { 128 };
    let subnet = (1..3_usize, 0..8_u8, bits - 3..=bits).prop_map(move |(link, host, prefix)| {
        let network = IpNetwork::new(underlay(family, host), prefix).unwrap();
        let link = LINKS[link];
        Subnet { network, link }
    });
    prop::collection::vec(subnet, 0..3)
}

pub(super) fn any_route(family: Family) -> impl Strategy<Value = HeldRoute> {
    let place = (
        0..8_u8,
        prop::bool::weighted(0.9),
        prop::bool::weighted(0.7),
    );
    let gateway = prop::option::of(prop_oneof![
        (0..8_u8).prop_map(move |index| pod_cidr(family, index).ip()),
        (0..8_u8).prop_map(move |index| underlay(family, index)),
    ]);
    let link = prop::option::weighted(0.9, prop::sample::select(LINKS.to_vec()));
    let protocol = prop::sample::select(vec![PROTOCOL, PROTOCOL, 2, 3, 4]);
    (place, gateway, link, any::<bool>(), protocol).prop_map(
        move |((index, within, with_metric), gateway, link, onlink, protocol)| {
            let dst = if within {
                pod_cidr(family, index)
            } else {
                IpNetwork::new(underlay(family, 0), 24).unwrap()
            };
            HeldRoute {
                dst: cidr::truncated(dst),
                gateway,
                link,
                onlink,
                metric: if with_metric { metric(dst) } else { 0 },
                protocol,
            }
        },
    )
}

/// Tables in any state, as an earlier run, a crash, flannel or a person may have left them.
pub(super) fn any_held(family: Family) -> impl Strategy<Value = Held> {
    let address = move |index| pod_cidr(family, index).ip();
    let mac = |index| {
        Mac([
            [0, 1, 2, 2, 2][usize::from(index % 5)],
            0,
            0,
            0,
            0,
            index % 8,
        ])
    };
    let neighbour = (0..9_u8, prop::option::of(0..40_u8), any::<bool>());
    let neighbour = neighbour.prop_map(move |(index, of, permanent)| HeldNeighbour {
        address: address(index),
        mac: of.map(mac),
        permanent,
    });
    let entry = (
        0..40_u8,
        prop::option::of(0..9_u8),
        prop::bool::weighted(0.8),
    );
    let entry = entry.prop_map(move |(index, dst, permanent)| HeldFdbEntry {
        mac: mac(index),
        dst: dst.map(|dst| underlay(family, dst)),
        permanent,
    });
    let routes = prop::collection::vec(any_route(family), 0..16);
    let neighbours = prop::collection::vec(neighbour, 0..10);
    (routes, neighbours, prop::collection::vec(entry, 0..20)).prop_map(
        |(mut routes, neighbours, fdb)| {
            // Not the same route twice; and where one of ours and another's have one destination
            // and metric, the kernel would not have let ours in.
            routes.sort_by_key(|route| (route.dst, route.metric, route.protocol == PROTOCOL));
            routes.dedup_by(|one, other| {
                let place = (one.dst, one.metric) == (other.dst, other.metric);
                one == other || place && one.protocol != other.protocol
            });
            let held = Held {
                routes,
                neighbours,
                fdb,
            };
            Kernel::new(&held).dump()
        },
    )
}

pub(super) fn any_family() -> impl Strategy<Value = Family> {
    prop::sample::select(Family::ALL.to_vec())
}
