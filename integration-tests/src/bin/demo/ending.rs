// SPDX-License-Identifier: Apache-2.0
//! The overlay without its agent, the pods' end, and what is left: nothing.

use std::io::Write;
use std::mem::take;
use std::net::IpAddr;

use integration_tests::{Member, Pod, podwired};
use nft::{Family, Nft, Table};

use crate::cluster::{CONFLIST, Cluster, INTERFACE, NETWORKS, Told};
use crate::packets::reach;

/// The protocol number of the overlay's routes.
const PROTOCOL: u8 = 118;

/// What the programs themselves say of the state.
pub(crate) fn status(out: &mut impl Write, cluster: &Cluster) -> Told {
    for (member, pods) in cluster.nodes() {
        let network = Cluster::network(member);
        for pod in pods {
            member.runner.check(&network, pod, INTERFACE)?;
        }
    }
    writeln!(out, "CHECK of each pod: as ADD made it.")?;
    for member in &cluster.fleet.members[..1] {
        let status = podwired(&member.node, &["status"]);
        if !status.success() {
            return Err(format!("podwired status on {}: {status}", member.name).into());
        }
        writeln!(out, "podwired status on {}:\n", member.name)?;
        for line in status.stdout.lines() {
            writeln!(out, "  {line}")?;
        }
    }
    Ok(writeln!(out)?)
}

/// The agents end, then the pods, then the overlay.
pub(crate) fn end(out: &mut impl Write, cluster: &mut Cluster) -> Told {
    for agent in take(&mut cluster.agents) {
        let ended = agent.terminate();
        if !ended.status.success() {
            return Err(format!("podwired ended with {}:\n{}", ended.status, ended.log).into());
        }
    }
    let [web, db] = cluster.far_apart();
    let families = reach(&web, &db)?;
    writeln!(
        out,
        "podwired ends on both nodes, and the overlay stays: {} reaches {} by {families}.\n",
        web.name, db.name
    )?;
    for (member, pods) in cluster.nodes() {
        let network = Cluster::network(member);
        for pod in pods {
            member.runner.del(&network, pod, INTERFACE)?;
            writeln!(out, "DEL {} on {}", pod.name(), member.name)?;
        }
        let cleanup = podwired(&member.node, &["cleanup", "--conflist", CONFLIST]);
        if !cleanup.success() {
            return Err(format!("podwired cleanup on {}: {cleanup}", member.name).into());
        }
        let done: Vec<_> = cleanup.stdout.lines().collect();
        writeln!(
            out,
            "podwired cleanup on {}: {}",
            member.name,
            done.join(", ")
        )?;
        nothing_is_left(member, network.name(), pods)?;
    }
    Ok(writeln!(
        out,
        "\nOn both nodes no VXLAN device, route, rule or file of the overlay is left, no bridge port,\n\
         no address and no interface in a pod. The nodes go with their namespaces: this machine\n\
         saw none of it."
    )?)
}

fn nothing_is_left(member: &Member, network: &str, pods: &[Pod]) -> Told {
    let (node, rtnl) = (&member.node, member.node.rtnl());
    let mut left = node.interfaces();
    left.retain(|name| !["cni0", "eth0"].contains(&name.as_str()));
    let ports = rtnl.ports(node.link("cni0").index)?;
    left.extend(ports.into_iter().map(|port| port.name));
    let routes = rtnl.route_entries(None, Some(PROTOCOL))?;
    left.extend(
        routes
            .iter()
            .map(|entry| format!("a route to {}", entry.route.dst)),
    );
    left.extend(node.run(rules)?);
    left.extend(node.list(NETWORKS));
    left.extend(node.list("/run/podwire"));
    let mut leases = node.list(format!("/var/lib/cni/networks/{network}"));
    leases.retain(|name| name.parse::<IpAddr>().is_ok());
    left.extend(leases);
    left.extend(pods.iter().flat_map(|pod| pod.interfaces()));
    if left.is_empty() {
        return Ok(());
    }
    Err(format!("left on {}: {}", member.name, left.join(", ")).into())
}

/// The overlay's part of the ruleset, in whose network the calling thread is.
fn rules() -> Result<Vec<String>, nft::Error> {
    let [guard, masquerade] = ["podwire-overlay", "podwire"].map(|name| Table {
        family: Family::Inet,
        name,
    });
    let mut nft = Nft::open()?;
    let exempt = nft.rules(masquerade, Some("exempt"))?;
    let mut left: Vec<_> = exempt.into_iter().filter_map(|rule| rule.comment).collect();
    left.retain(|comment| comment.starts_with("shared:overlay"));
    if nft.has_table(guard)? {
        left.push(guard.to_string());
    }
    Ok(left)
}
