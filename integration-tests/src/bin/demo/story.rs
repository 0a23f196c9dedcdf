// SPDX-License-Identifier: Apache-2.0
//! The demonstration from start to end.

use std::io::Write;

use crate::cluster::{Cluster, EXAMPLE, INTERFACE, Told, without_time};
use crate::{drawing, ending, healing, packets};

/// Builds, shows, pings, breaks, removes; an error is the sentence that says what went wrong.
pub(crate) fn tell(out: &mut impl Write) -> Told {
    let mut cluster = Cluster::new()?;
    agents(out, &cluster)?;
    pods(out, &cluster)?;
    writeln!(out, "{}\n\n{}\n", drawing::draw(&cluster)?, drawing::LEGEND)?;
    packets::pings(out, &cluster)?;
    packets::servers(out, &cluster)?;
    packets::tracked(out, &cluster)?;
    healing::deletion(out, &cluster)?;
    ending::status(out, &cluster)?;
    ending::end(out, &mut cluster)
}

fn agents(out: &mut impl Write, cluster: &Cluster) -> Told {
    writeln!(
        out,
        "Two nodes and a world outside, in namespaces of their own. The nodes' list,\n{EXAMPLE}:\n\n{}",
        cluster.list()
    )?;
    let command = format!("podwired run {}", Cluster::arguments().join(" "));
    writeln!(out, "The agent runs on both nodes:\n\n  {command}\n")?;
    for (member, agent) in cluster.fleet.members.iter().zip(&cluster.agents) {
        for line in agent.log().lines() {
            writeln!(out, "  {}: {}", member.name, without_time(line))?;
        }
    }
    Ok(writeln!(out)?)
}

fn pods(out: &mut impl Write, cluster: &Cluster) -> Told {
    writeln!(
        out,
        "The runtime attaches pods by the conflist that podwired wrote:\n"
    )?;
    for (member, pods) in cluster.nodes() {
        let network = Cluster::network(member);
        for pod in pods {
            let result = member.runner.add(&network, pod, INTERFACE)?;
            let ips = result["ips"].as_array().into_iter().flatten();
            let ips: Vec<_> = ips.filter_map(|ip| ip["address"].as_str()).collect();
            writeln!(
                out,
                "  ADD {} on {}: {}",
                pod.name(),
                member.name,
                ips.join(" ")
            )?;
        }
    }
    Ok(writeln!(out)?)
}
