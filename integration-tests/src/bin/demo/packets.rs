// SPDX-License-Identifier: Apache-2.0
//! Packets between pods, nodes and the world outside: that they arrive, and as whose.

use std::io::Write;
use std::net::IpAddr;

use integration_tests::conntrack::{self, Flow};
use integration_tests::{Echo, Member, PATIENCE, Place, ask_tcp, ping};

use crate::cluster::{Cluster, Speaker, Told, addresses, vxlans};

const PORT: u16 = 8080;

/// Everybody pings everybody, by all addresses.
pub(crate) fn pings(out: &mut impl Write, cluster: &Cluster) -> Told {
    let mut to = cluster.pods();
    to.push(cluster.outside());
    let mut from = cluster.pods();
    from.extend(cluster.fleet.members.iter().map(Speaker::node));
    writeln!(out, "Pings that are answered:\n")?;
    let names = to.iter().map(|to| to.name.clone());
    line(out, "from \\ to", &names.collect::<Vec<_>>())?;
    for from in &from {
        let cell = |to: &Speaker<'_>| match from.name == to.name {
            true => Ok("·".to_owned()),
            false => reach(from, to),
        };
        let cells: Told<Vec<_>> = to.iter().map(cell).collect();
        line(out, &from.name, &cells?)?;
    }
    Ok(writeln!(out)?)
}

fn line(out: &mut impl Write, name: &str, cells: &[String]) -> Told {
    let cells: String = cells.iter().map(|cell| format!("{cell:<12}")).collect();
    let line = format!("  {name:<12}{cells}");
    Ok(writeln!(out, "{}", line.trim_end())?)
}

/// Pings all addresses of somebody; the families that were answered, which are all.
pub(crate) fn reach(from: &Speaker<'_>, to: &Speaker<'_>) -> Told<String> {
    let mut families = Vec::new();
    for address in to.addresses() {
        if !ping(from.place, address, PATIENCE) {
            let (from, to) = (&from.name, &to.name);
            return Err(format!("{from} gets no answer from {to}, {address}").into());
        }
        families.push(if address.is_ipv4() { "IPv4" } else { "IPv6" });
    }
    Ok(families.join(" "))
}

/// Whose addresses servers see.
pub(crate) fn servers(out: &mut impl Write, cluster: &Cluster) -> Told {
    let ([web, db], outside) = (cluster.far_apart(), cluster.outside());
    let member = &cluster.fleet.members[0];
    let node = Speaker::node(member);
    writeln!(out, "Whom a server sees when somebody connects to it:\n")?;
    for (from, to) in [(&web, &db), (&db, &web)] {
        let meaning = "the pod itself, not translated";
        seen(out, (from, to), (&from.addresses(), meaning))?;
    }
    let within = vtep_addresses(&member.node);
    seen(
        out,
        (&node, &db),
        (&within, "the node's own address on the overlay"),
    )?;
    let meaning = "the node, masqueraded";
    seen(out, (&web, &outside), (&node.addresses(), meaning))?;
    Ok(writeln!(out)?)
}

fn seen(
    out: &mut impl Write,
    (from, to): (&Speaker<'_>, &Speaker<'_>),
    (expected, meaning): (&[IpAddr], &str),
) -> Told {
    let mut seen = Vec::new();
    for address in to.addresses() {
        let server = Echo::start(to.place, address, PORT);
        let client = ask_tcp(from.place, server.address());
        let failed = |error| format!("{} can't connect to {}: {error}", from.name, to.name);
        seen.push(client.map_err(failed)?.ip());
    }
    let texts: Vec<_> = seen.iter().map(IpAddr::to_string).collect();
    let texts = texts.join(" ");
    if seen != expected {
        let (from, to) = (&from.name, &to.name);
        return Err(format!("{to} sees {from} as {texts} and not as {expected:?}").into());
    }
    let way = format!("{} → {}", from.name, to.name);
    Ok(writeln!(out, "  {way:<22}{texts:<30}{meaning}")?)
}

fn vtep_addresses(node: &Place) -> Vec<IpAddr> {
    let devices = vxlans(node).into_iter();
    let mut all: Vec<_> = devices
        .flat_map(|link| addresses(node, &link.name))
        .collect();
    all.sort();
    all
}

/// What connection tracking on the nodes knows of the connections that servers have seen: between
/// pods and nodes none is translated. Those of one pod are shown.
pub(crate) fn tracked(out: &mut impl Write, cluster: &Cluster) -> Told {
    let [web, _] = cluster.far_apart();
    let (own, network) = (web.addresses(), cluster.fleet.network());
    let of_pods = |address| network.iter().any(|network| network.contains(address));
    writeln!(
        out,
        "What connection tracking on the nodes knows of {}:\n",
        web.name
    )?;
    for Member { name, node, .. } in &cluster.fleet.members {
        let mut flows = match conntrack::list(node) {
            Ok(flows) => flows,
            Err(error) => {
                writeln!(
                    out,
                    "  {name}  nothing: it lacks nf_conntrack_netlink ({error})"
                )?;
                continue;
            }
        };
        flows.retain(|flow| flow.protocol == "tcp" && of_pods(flow.source));
        let mut within = flows.iter().filter(|flow| of_pods(flow.destination));
        if let Some(flow) = within.find(|flow| flow.is_translated()) {
            return Err(format!("{name} translates between pods: {flow:?}").into());
        }
        flows.retain(|flow| own.contains(&flow.source));
        if flows.is_empty() {
            return Err(format!("{name} tracks no connection of {}", web.name).into());
        }
        flows.sort_by_key(|flow| (flow.source, !of_pods(flow.destination)));
        flows.iter().try_for_each(|flow| show(out, name, flow))?;
    }
    Ok(writeln!(out)?)
}

fn show(out: &mut impl Write, node: &str, flow: &Flow) -> Told {
    let way = format!("{} → {}", flow.source, flow.destination);
    let back = format!("{} → {}", flow.reply_source, flow.reply_destination);
    let what = match flow.is_translated() {
        true => "translated",
        false => "not translated",
    };
    Ok(writeln!(
        out,
        "  {node}  {way:<34} answers {back:<34} {what}"
    )?)
}
