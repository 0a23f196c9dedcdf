// SPDX-License-Identifier: Apache-2.0
//! The demonstration from start to end.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use integration_tests::{
    Echo, Network, Node, Outside, Place, Pod, Runner, ask_tcp, binaries, ping,
};

use crate::drawing;

/// The configuration that is shown, as it stands.
const EXAMPLE: &str = "conf-examples/kubelet.conflist";
const PODS: [&str; 3] = ["web", "api", "db"];
const INTERFACE: &str = "eth0";
const PORT: u16 = 8080;
const PATIENCE: Duration = Duration::from_secs(2);

type Told = Result<(), Box<dyn Error>>;

/// Attaches, shows, pings, removes; an error is the sentence that says what went wrong.
pub(crate) fn tell(out: &mut impl Write) -> Told {
    let text = fs::read_to_string(binaries::workspace().join(EXAMPLE))?;
    let network = Network::parse(&text);
    let node = Node::new();
    let outside = Outside::new(&node, 1500);
    writeln!(
        out,
        "A node and a world outside, in namespaces of their own. The network, {EXAMPLE}:\n"
    )?;
    writeln!(out, "{text}")?;

    let runner = Runner::new(&node);
    let pods = PODS.map(|name| node.pod(name));
    for pod in &pods {
        let result = runner.add(&network, pod, INTERFACE)?;
        writeln!(out, "ADD {}: {}", pod.name(), result["ips"][0]["address"])?;
    }
    writeln!(out, "\n{}", drawing::draw(&node, &outside, &pods)?)?;
    packets(out, &node, &outside, &pods)?;
    for pod in &pods {
        runner.check(&network, pod, INTERFACE)?;
    }
    runner.status(&network)?;
    writeln!(
        out,
        "\nCHECK of each pod and STATUS of the network: well.\n"
    )?;
    for pod in &pods {
        runner.del(&network, pod, INTERFACE)?;
        writeln!(out, "DEL {}", pod.name())?;
    }
    nothing_is_left(out, &node, &network, &pods)
}

fn packets(out: &mut impl Write, node: &Node, outside: &Outside, pods: &[Pod]) -> Told {
    writeln!(out, "Pings:")?;
    let bridge = node.ipv4("cni0");
    for from in pods {
        for to in pods.iter().filter(|to| to.name() != from.name()) {
            reach(out, (from.name(), from), (to.name(), to.ipv4(INTERFACE)))?;
        }
        reach(out, (from.name(), from), ("the gateway", bridge))?;
        reach(out, (from.name(), from), ("the world outside", Outside::V4))?;
        reach(out, ("the node", node), (from.name(), from.ipv4(INTERFACE)))?;
    }
    let [web, api, ..] = pods else {
        return Err("there are no pods".into());
    };
    writeln!(
        out,
        "\nWhom servers see when {} ({}) connects:",
        web.name(),
        web.ipv4(INTERFACE)
    )?;
    let inside = seen_by(web, api, api.ipv4(INTERFACE))?;
    writeln!(
        out,
        "  {:<18} {inside}: the pod's own address, nothing is translated",
        api.name()
    )?;
    let beyond = seen_by(web, outside, Outside::V4)?;
    writeln!(
        out,
        "  {:<18} {beyond}: the node's address, masqueraded",
        "the world outside"
    )?;
    match (inside == web.ipv4(INTERFACE), beyond == Outside::NODE_V4) {
        (true, true) => Ok(()),
        _ => Err("a server saw another address than it should".into()),
    }
}

fn reach(out: &mut impl Write, (who, from): (&str, &Place), (whom, to): (&str, IpAddr)) -> Told {
    if !ping(from, to, PATIENCE) {
        return Err(format!("{who} gets no answer from {whom}, {to}").into());
    }
    Ok(writeln!(out, "  {who:<8} → {whom:<18} {to:<12} answers")?)
}

fn seen_by(client: &Place, server: &Place, address: IpAddr) -> Result<IpAddr, Box<dyn Error>> {
    let echo = Echo::start(server, address, PORT);
    Ok(ask_tcp(client, echo.address())?.ip())
}

fn nothing_is_left(out: &mut impl Write, node: &Node, network: &Network, pods: &[Pod]) -> Told {
    let bridge = node.link("cni0");
    let ports = node.rtnl().ports(bridge.index)?;
    let store = node.list(format!("/var/lib/cni/networks/{}", network.name()));
    let leases = store
        .iter()
        .filter(|name| name.parse::<IpAddr>().is_ok())
        .count();
    let interfaces: usize = pods.iter().map(|pod| pod.interfaces().len()).sum();
    if !ports.is_empty() || leases > 0 || interfaces > 0 {
        let what = format!(
            "{} ports, {leases} leases, {interfaces} interfaces",
            ports.len()
        );
        return Err(format!("something is left: {what}").into());
    }
    writeln!(
        out,
        "\nNo bridge port, no address and no interface in a pod is left."
    )?;
    Ok(writeln!(
        out,
        "Node, bridge and rules go with their namespaces: the host saw none of it."
    )?)
}
