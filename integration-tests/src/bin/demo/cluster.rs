// SPDX-License-Identifier: Apache-2.0
//! Two nodes, an agent on each, and two pods on each.

use std::error::Error;
use std::fs::{create_dir_all, read_to_string};
use std::net::IpAddr;

use integration_tests::{Agent, Fleet, Member, Network, PATIENCE, Place, Pod, Stack, binaries};
use ipnetwork::IpNetwork;
use net::{Kind, Link};

/// What a part of the story returns; an error is the sentence that says what went wrong.
pub(crate) type Told<T = ()> = Result<T, Box<dyn Error>>;

/// The list of nodes that is shown and used, as it stands.
pub(crate) const EXAMPLE: &str = "conf-examples/overlay/dual-stack/nodes.json";
/// Where a node has the list: its `/etc` is that of the machine, and is left alone.
const NODES: &str = "/run/lab/nodes.json";
/// Where the runtime has its networks.
pub(crate) const NETWORKS: &str = "/run/lab/net.d";
/// The one that the agent writes.
pub(crate) const CONFLIST: &str = "/run/lab/net.d/10-podwire.conflist";
/// The pods of each node.
const PODS: [[&str; 2]; 2] = [["web", "api"], ["db", "log"]];
/// A pod's interface.
pub(crate) const INTERFACE: &str = "eth0";

/// The nodes with what was put on them.
pub(crate) struct Cluster {
    /// Those of the nodes, in order; they end before their nodes do.
    pub(crate) agents: Vec<Agent>,
    pods: Vec<[Pod; 2]>,
    list: String,
    /// The nodes and the world outside.
    pub(crate) fleet: Fleet,
}

impl Cluster {
    /// Nodes with an agent that has written the conflist.
    pub(crate) fn new() -> Told<Self> {
        let list = read_to_string(binaries::workspace().join(EXAMPLE))?;
        let fleet = Fleet::new(2, Stack::Dual);
        let members = fleet.members.iter().zip(PODS);
        let pods = members.map(|(member, names)| names.map(|name| member.node.pod(name)));
        let mut cluster = Self {
            agents: Vec::new(),
            pods: pods.collect(),
            list,
            fleet,
        };
        for member in &cluster.fleet.members {
            member.node.write(NODES, &cluster.list);
            cluster.agents.push(agent(member)?);
        }
        Ok(cluster)
    }

    /// The list of nodes.
    pub(crate) fn list(&self) -> &str {
        &self.list
    }

    /// What the agents are started with.
    pub(crate) fn arguments() -> [&'static str; 4] {
        ["--nodes", NODES, "--conflist", CONFLIST]
    }

    /// The nodes and their pods.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (&Member, &[Pod; 2])> {
        self.fleet.members.iter().zip(&self.pods)
    }

    /// The network of a node, as its agent wrote it.
    pub(crate) fn network(member: &Member) -> Network {
        Network::parse(&member.node.read(CONFLIST))
    }

    /// A pod of the first node and one of the second.
    pub(crate) fn far_apart(&self) -> [Speaker<'_>; 2] {
        [0, 1].map(|node: usize| Speaker::pod(&self.fleet.members[node], &self.pods[node][0]))
    }

    /// The pods of all nodes.
    pub(crate) fn pods(&self) -> Vec<Speaker<'_>> {
        let pods = self
            .nodes()
            .flat_map(|(member, pods)| pods.iter().map(move |pod| Speaker::pod(member, pod)));
        pods.collect()
    }

    /// The world outside.
    pub(crate) fn outside(&self) -> Speaker<'_> {
        Speaker {
            name: "outside".to_owned(),
            place: &self.fleet.outside,
        }
    }
}

/// An agent that has written the conflist.
fn agent(member: &Member) -> Told<Agent> {
    member.node.run(|| create_dir_all(NETWORKS))?;
    let agent = Agent::converged(&member.node, &Cluster::arguments());
    if !agent.says("wrote the conflist", PATIENCE) {
        return Err(format!("podwired writes no conflist:\n{}", agent.log()).into());
    }
    Ok(agent)
}

/// Who talks, and under which name it is told of.
pub(crate) struct Speaker<'a> {
    pub(crate) name: String,
    pub(crate) place: &'a Place,
}

impl<'a> Speaker<'a> {
    fn pod(member: &Member, pod: &'a Pod) -> Self {
        Self {
            name: format!("{} on {}", pod.name(), member.name),
            place: pod,
        }
    }

    /// A node itself.
    pub(crate) fn node(member: &'a Member) -> Self {
        Self {
            name: format!("node {}", member.name),
            place: &member.node,
        }
    }

    /// Its addresses by which others reach it.
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        addresses(self.place, INTERFACE)
    }
}

/// The addresses of an interface, IPv4 first.
pub(crate) fn addresses(place: &Place, interface: &str) -> Vec<IpAddr> {
    let networks = place.addresses(interface);
    networks.iter().map(IpNetwork::ip).collect()
}

/// The VXLAN devices of a node.
pub(crate) fn vxlans(node: &Place) -> Vec<Link> {
    let links = node.interfaces().into_iter().map(|name| node.link(&name));
    links
        .filter(|link| matches!(link.kind, Kind::Vxlan(_)))
        .collect()
}

/// A line of the agent's log without its time.
pub(crate) fn without_time(line: &str) -> &str {
    line.split_once("Z ").map_or(line, |(_, rest)| rest.trim())
}
