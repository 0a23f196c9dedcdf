// SPDX-License-Identifier: Apache-2.0
//! A node as text: bridges, ports, pods, addresses and routes, as the kernel tells them.

use std::error::Error;

use integration_tests::{Node, Outside, Place, Pod};
use net::{Kind, Link};

/// Draws the node with what is outside on top and its bridges' ports below.
pub(crate) fn draw(node: &Node, outside: &Outside, pods: &[Pod]) -> Result<String, Box<dyn Error>> {
    let mut lines = vec![format!("outside  eth0 {}", addresses(outside, "eth0"))];
    lines.push("   │".to_owned());
    lines.push(format!("node  eth0 {}", addresses(node, "eth0")));
    for route in routes(node)? {
        lines.push(format!("   │  route {route}"));
    }
    for bridge in bridges(node) {
        let name = &bridge.name;
        lines.push(format!(
            "   └─ bridge {name} {}  {}",
            addresses(node, name),
            bridge.mac
        ));
        let ports = node.rtnl().ports(bridge.index)?;
        for (number, port) in ports.iter().enumerate() {
            let last = number + 1 == ports.len();
            let (branch, below) = if last {
                ("└─", "  ")
            } else {
                ("├─", "│ ")
            };
            lines.push(format!("        {branch} port {}", port.name));
            for pod in pods.iter().filter(|pod| ends_in(port, pod)) {
                let eth0 = pod.link("eth0");
                let what = format!("{}  {}", addresses(pod, "eth0"), eth0.mac);
                lines.push(format!(
                    "        {below}    ╰─ pod {}  eth0 {what}",
                    pod.name()
                ));
                for route in routes(pod)? {
                    lines.push(format!("        {below}         route {route}"));
                }
            }
        }
    }
    Ok(lines.join("\n") + "\n")
}

fn bridges(node: &Node) -> Vec<Link> {
    let links = node.interfaces().into_iter().map(|name| node.link(&name));
    links
        .filter(|link| matches!(link.kind, Kind::Bridge { .. }))
        .collect()
}

fn ends_in(port: &Link, pod: &Pod) -> bool {
    let eth0 = pod.link("eth0");
    port.peer == Some(eth0.index) && eth0.peer == Some(port.index)
}

fn addresses(place: &Place, interface: &str) -> String {
    let all = place.addresses(interface);
    all.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The routes of all interfaces but those of IPv6 link-local and multicast addresses.
fn routes(place: &Place) -> Result<Vec<String>, Box<dyn Error>> {
    let mut lines = Vec::new();
    for interface in place.interfaces() {
        for route in place.rtnl().routes(place.link(&interface).index)? {
            let text = route.dst.to_string();
            if text.starts_with("fe80:") || text.starts_with("ff00:") {
                continue;
            }
            let via = route
                .gateway
                .map(|gateway| format!(" via {gateway}"))
                .unwrap_or_default();
            lines.push(format!("{text}{via} dev {interface}"));
        }
    }
    Ok(lines)
}
