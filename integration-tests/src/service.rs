// SPDX-License-Identifier: Apache-2.0
//! A Service as kube-proxy makes one: a virtual address that the node translates to a pod's.

use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::echo::{Echo, ask_tcp, ask_udp};
use crate::node::Node;
use crate::pod::Pod;

/// The virtual addresses, of a range that nobody has.
const VIRTUAL: [&str; 2] = ["10.32.0.10", "fd00:32::10"];
/// The Service's port, and the pod's.
const PORT: u16 = 80;

/// One pod behind a virtual address of each family.
#[derive(Debug)]
pub struct Service {
    _servers: [Echo; 2],
}

impl Service {
    /// Serves on all addresses of `pod`, and has the node translate. What comes back to who sent it
    /// is masqueraded by its mark.
    ///
    /// # Panics
    /// When the node takes no such rules.
    pub fn start(node: &Node, pod: &Pod) -> Self {
        let [v4, v6] = pod.both_addresses();
        let [virtual_v4, virtual_v6] = VIRTUAL;
        let rules = format!(
            "table inet service {{
                chain prerouting {{ type nat hook prerouting priority dstnat
                    ip saddr {v4} ip daddr {virtual_v4} meta mark set meta mark or 0x4000
                    ip6 saddr {v6} ip6 daddr {virtual_v6} meta mark set meta mark or 0x4000
                    ip daddr {virtual_v4} dnat ip to {v4}
                    ip6 daddr {virtual_v6} dnat ip6 to {v6}
                }}
                chain postrouting {{ type nat hook postrouting priority srcnat - 1
                    meta mark and 0x4000 == 0x4000 masquerade
                }}
            }}"
        );
        node.write("/run/lab/service.nft", rules);
        node.tool("nft", "--file /run/lab/service.nft");
        let any: [IpAddr; 2] = [[0; 4].into(), [0_u16; 8].into()];
        // That of IPv6 alone, since the other one has IPv4.
        pod.run(|| std::fs::write("/proc/sys/net/ipv6/bindv6only", "1"))
            .expect("a pod's sysctls can be set by its owner");
        Self {
            _servers: any.map(|any| Echo::start(pod, any, PORT)),
        }
    }

    /// Whose address the pod sees when `client` asks its Service, by UDP and by TCP, at the virtual
    /// address of one family.
    pub fn ask(client: &Pod, ipv4: bool) -> [io::Result<IpAddr>; 2] {
        let address: IpAddr = VIRTUAL[usize::from(!ipv4)].parse().expect("an address");
        let service = SocketAddr::new(address, PORT);
        [ask_udp(client, service), ask_tcp(client, service)].map(|seen| Ok(seen?.ip()))
    }
}

/// Whether the node's bridges hand the packets that they forward to netfilter.
///
/// # Panics
/// When that can't be set.
pub fn set_bridge_netfilter(node: &Node, on: bool) {
    for family in ["iptables", "ip6tables"] {
        let path = format!("/proc/sys/net/bridge/bridge-nf-call-{family}");
        // Without the module nothing is handed over.
        if node.run(|| std::path::Path::new(&path).exists()) {
            node.write(path, if on { "1" } else { "0" });
        }
    }
}
