// SPDX-License-Identifier: Apache-2.0
//! A node's VXLAN device is deleted while a connection between pods goes through it.

use std::io::Write;
use std::time::{Duration, Instant};

use integration_tests::{Agent, Conversation, PATIENCE, Place};
use net::Link;

use crate::cluster::{Cluster, Told, vxlans, without_time};
use crate::packets::reach;

const PORT: u16 = 8081;
/// So many answers show that a connection is alive.
const ENOUGH: u64 = 20;

/// Deletes it, and shows what the agent makes of that.
pub(crate) fn deletion(out: &mut impl Write, cluster: &Cluster) -> Told {
    let [web, db] = cluster.far_apart();
    let (member, agent) = (&cluster.fleet.members[1], &cluster.agents[1]);
    let (name, node) = (&member.name, &member.node);
    let (talkers, to) = (format!("{} and {}", web.name, db.name), db.addresses()[0]);
    let device = first_vxlan(node).ok_or_else(|| format!("{name} has no VXLAN device"))?;
    let what = &device.name;

    let connection = Conversation::start(web.place, db.place, to, PORT);
    goes_on(&connection)?;
    writeln!(out, "{what} of {name} is deleted while {talkers} talk:\n")?;
    let count = connection.exchanged();
    writeln!(
        out,
        "  {count} questions have been answered by one TCP connection"
    )?;

    let (new, said, took) = come_back(node, agent, &device)?;
    let said = without_time(&said).replace(" operations=", "\n    operations=");
    writeln!(out, "  podwired on {name}: {said}")?;
    let (index, before, mac) = (new.index, device.index, new.mac);
    writeln!(
        out,
        "  {what} is back after {took:.0?}: {mac}, link {index} (before: link {before})"
    )?;

    goes_on(&connection)?;
    let (count, longest) = (connection.exchanged(), connection.longest_pause());
    writeln!(
        out,
        "  {count} questions have been answered by the same connection, one after {longest:.0?}"
    )?;
    let (families, web, db) = (reach(&web, &db)?, web.name, db.name);
    Ok(writeln!(out, "  {web} reaches {db} by {families}\n")?)
}

fn goes_on(connection: &Conversation) -> Told {
    if connection.wait_for(ENOUGH, PATIENCE) {
        return Ok(());
    }
    let count = connection.exchanged();
    Err(format!("the connection between pods stands still after {count} answers").into())
}

/// Deletes a device, and waits for another one in its place: that one, what the agent says of it,
/// and how long it took.
fn come_back(node: &Place, agent: &Agent, device: &Link) -> Told<(Link, String, Duration)> {
    let (said, begun) = (agent.log().len(), Instant::now());
    node.rtnl().delete_link(device.index)?;
    let new = || first_vxlan(node).filter(|new| new.index != device.index);
    let waited = node.eventually(PATIENCE, || new().is_some());
    let took = begun.elapsed();
    let said = agent.says_after(said, "create device", PATIENCE);
    let (Some(_), Some(said), Some(new)) = (waited, said, new()) else {
        return Err(format!("podwired does not make it again:\n{}", agent.log()).into());
    };
    if (&new.name, new.mac) != (&device.name, device.mac) {
        return Err(format!("there is {new:?} instead of {device:?}").into());
    }
    Ok((new, said, took))
}

/// The VXLAN device with an IPv4 address.
fn first_vxlan(node: &Place) -> Option<Link> {
    let has_ipv4 = |link: &Link| node.addresses(&link.name).iter().any(|it| it.is_ipv4());
    vxlans(node).into_iter().find(has_ipv4)
}
