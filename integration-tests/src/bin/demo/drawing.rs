// SPDX-License-Identifier: Apache-2.0
//! The nodes as text: the underlay between them, VXLAN devices and what they know of peers,
//! bridges, ports, pods and addresses, as the kernel tells them.

use std::net::IpAddr;

use integration_tests::{Member, Place, Pod};
use net::{Kind, Link, Mac, Vxlan};

use crate::cluster::{Cluster, Told};
use crate::tree::Tree;

/// What [`draw`] shows below a VXLAN device.
pub(crate) const LEGEND: &str = "\
Below a VXLAN device: the peer's pods → their gateway (route) → its MAC address (neighbour) →
the peer's underlay address (forwarding entry).";

/// Draws all nodes.
pub(crate) fn draw(cluster: &Cluster) -> Told<String> {
    let mut underlay = Tree::new("the underlay");
    let outside = interface(&cluster.fleet.outside, "eth0");
    underlay
        .below
        .push(Tree::new(format!("outside  {outside}")));
    for (member, pods) in cluster.nodes() {
        underlay.below.push(node(member, pods)?);
    }
    Ok(underlay.lines().join("\n"))
}

fn node(member: &Member, pods: &[Pod]) -> Told<Tree> {
    let node: &Place = &member.node;
    let mut tree = Tree::new(format!("{}  {}", member.name, interface(node, "eth0")));
    let (mut devices, mut bridges) = (Vec::new(), Vec::new());
    for link in node.interfaces().iter().map(|name| node.link(name)) {
        match &link.kind {
            Kind::Vxlan(vxlan) => devices.push((vxlan.local, device(node, &link, vxlan)?)),
            Kind::Bridge { .. } => bridges.push(bridge(node, &link, pods)?),
            _ => {}
        }
    }
    devices.sort_by_key(|(local, _)| *local);
    tree.below
        .extend(devices.into_iter().map(|(_, device)| device));
    tree.below.extend(bridges);
    Ok(tree)
}

/// A VXLAN device, and for each peer the three entries by which packets find it.
fn device(node: &Place, link: &Link, vxlan: &Vxlan) -> Told<Tree> {
    let (vni, port) = (vxlan.vni, vxlan.port);
    let what = interface(node, &link.name);
    let mut tree = Tree::new(format!("{what}  VNI {vni}, UDP port {port}, {}", link.mac));
    for route in node.rtnl().routes(link.index)? {
        let Some(gateway) = route.gateway else {
            continue;
        };
        let mac = neighbour(node, link, gateway)?;
        let underlay = destination(node, link, mac)?;
        let way = format!("{} → {gateway} → {mac} → {underlay}", route.dst);
        tree.notes.push(way);
    }
    Ok(tree)
}

fn neighbour(node: &Place, link: &Link, ip: IpAddr) -> Told<Mac> {
    let known = node.rtnl().neighbours(link.index)?;
    let found = known.into_iter().find(|neighbour| neighbour.ip == ip);
    let missing = || format!("{} has no neighbour entry for {ip}", link.name);
    Ok(found.ok_or_else(missing)?.mac)
}

fn destination(node: &Place, link: &Link, mac: Mac) -> Told<IpAddr> {
    let known = node.rtnl().fdb(link.index)?;
    let found = known.into_iter().find(|entry| entry.mac == mac);
    let missing = || format!("{} has no forwarding entry for {mac}", link.name);
    Ok(found.ok_or_else(missing)?.dst)
}

fn bridge(node: &Place, link: &Link, pods: &[Pod]) -> Told<Tree> {
    let mut tree = Tree::new(interface(node, &link.name));
    for port in node.rtnl().ports(link.index)? {
        let pod = pods.iter().find(|pod| ends_in(&port, pod));
        let pod = pod.ok_or_else(|| format!("port {} leads to no pod", port.name))?;
        let text = format!(
            "{} ── {}  {}",
            port.name,
            pod.name(),
            interface(pod, "eth0")
        );
        tree.below.push(Tree::new(text));
    }
    Ok(tree)
}

fn ends_in(port: &Link, pod: &Pod) -> bool {
    let eth0 = pod.link("eth0");
    port.peer == Some(eth0.index) && eth0.peer == Some(port.index)
}

/// Name, addresses and MTU.
fn interface(place: &Place, name: &str) -> String {
    let addresses = place.addresses(name);
    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    format!(
        "{name}  {}  MTU {}",
        addresses.join(" "),
        place.link(name).mtu
    )
}
