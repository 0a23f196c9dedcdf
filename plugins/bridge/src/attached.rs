// SPDX-License-Identifier: Apache-2.0
//! What an ADD made, as the runtime is told.

use attachment::{Layer3, Pair};
use cni::{Add, AddResult, Dns, Interface, Version};
use net::{Link, Mac};

/// The attachment and what it uses of the host.
#[derive(Debug)]
pub(crate) struct Attached {
    /// The bridge.
    pub(crate) bridge: Link,
    /// The pair that the attachment is.
    pub(crate) pair: Pair,
    /// The interface that holds the gateway's addresses in place of the bridge.
    pub(crate) vlan_interface: Option<Link>,
    /// Addresses and routes.
    pub(crate) layer3: Layer3,
    /// DNS settings for the container.
    pub(crate) dns: Dns,
}

impl Attached {
    /// Interfaces in the order that users of the reference plugin know: bridge, host, container,
    /// and the VLAN's. Their MTU from version 1.1.0 on, which knows the field.
    pub(crate) fn report(self, call: &Add) -> AddResult {
        let Self {
            bridge,
            pair,
            vlan_interface,
            layer3,
            dns,
        } = self;
        let with_mtu = call.network.version >= Version::V1_1_0;
        let interface = |name: &str, mac: Mac, mtu: u32| Interface {
            name: name.to_owned(),
            mac: Some(mac.to_string()),
            mtu: with_mtu.then_some(mtu),
            ..Interface::default()
        };
        let of_link = |link: &Link| interface(&link.name, link.mac, link.mtu);
        let container = Interface {
            sandbox: Some(call.netns.to_string_lossy().into_owned()),
            ..interface(&pair.container.name, pair.container.mac, pair.mtu)
        };
        let host = interface(&pair.host.name, pair.host.mac, pair.mtu);
        let mut interfaces = vec![of_link(&bridge), host, container];
        interfaces.extend(vlan_interface.as_ref().map(of_link));
        AddResult {
            interfaces,
            ips: layer3.ips,
            routes: layer3.routes,
            dns,
        }
    }
}
