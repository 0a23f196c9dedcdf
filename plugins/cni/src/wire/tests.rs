// SPDX-License-Identifier: Apache-2.0
mod fuzz;
mod reading;
mod writing;

use serde_json::json;

use super::*;
use crate::{Dns, Interface, Ip, Route};

/// A result that uses everything there is.
fn full() -> AddResult {
    AddResult {
        interfaces: vec![
            Interface {
                name: "cni0".into(),
                mac: Some("02:00:00:00:00:01".into()),
                ..Interface::default()
            },
            Interface {
                name: "eth0".into(),
                mac: Some("02:00:00:00:00:02".into()),
                mtu: Some(1450),
                sandbox: Some("/run/netns/a".into()),
                socket_path: Some("/run/vhost.sock".into()),
                pci_id: Some("0000:00:01.0".into()),
            },
        ],
        ips: vec![
            ip("10.1.2.3/24", Some("10.1.2.1"), Some(1)),
            ip("10.9.0.7/16", None, Some(0)),
            ip("2001:db8::3/64", Some("2001:db8::1"), None),
        ],
        routes: vec![
            Route {
                mtu: Some(1400),
                advmss: Some(1360),
                priority: Some(100),
                table: Some(0),
                scope: Some(253),
                ..route("0.0.0.0/0", Some("10.1.2.1"))
            },
            route("2001:db8:1::/48", None),
        ],
        dns: Dns {
            nameservers: vec!["10.0.0.10".into()],
            domain: Some("cluster.local".into()),
            search: vec!["svc.cluster.local".into()],
            options: vec!["ndots:5".into()],
        },
    }
}

fn ip(address: &str, gateway: Option<&str>, interface: Option<usize>) -> Ip {
    let gateway = gateway.map(|gateway| gateway.parse().unwrap());
    Ip {
        address: address.parse().unwrap(),
        gateway,
        interface,
    }
}

fn route(dst: &str, gw: Option<&str>) -> Route {
    Route::new(dst.parse().unwrap(), gw.map(|gw| gw.parse().unwrap()))
}

fn json(result: &AddResult, version: Version) -> Value {
    serde_json::from_str(&result.to_json(version).unwrap()).unwrap()
}

fn with_version(mut value: Value, version: Version) -> Value {
    value["cniVersion"] = json!(version);
    value
}
