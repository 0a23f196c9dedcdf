// SPDX-License-Identifier: Apache-2.0
//! A node moved from the real flanneld to `podwired` and back while its pods and those of the other
//! nodes, which stay flanneld's, talk to each other.

use std::time::Duration;

use e2e_tests::{Cluster, Flanneld, PATIENCE, Rules, delegated, flannel_pod, subnet_env};
use integration_tests::{
    Agent, Inquirer, Member, Network, Pod, Stack, Stream, ping, podwired, seen,
};
use net::Mac;
use serde_json::{Value, json};

/// Between two datagrams of one pod to another.
const PACE: Duration = Duration::from_millis(10);
/// How many arrive between two steps, in each direction.
const BETWEEN: u64 = 50;
const DEVICES: [&str; 2] = ["flannel.1", "flannel-v6.1"];
const ARGS: [&str; 4] = [
    "--net-conf",
    "/run/lab/net-conf.json",
    "--take-over-flannel",
    "--ip-masq",
];
const DATA: &str = "flannel.alpha.coreos.com/backend-data";

/// A cluster of flanneld's, a pod on each node, and what they say to each other.
struct Scene {
    streams: Vec<Stream>,
    inquirers: Vec<Inquirer>,
    pods: Vec<Pod>,
    flannelds: Vec<Flanneld>,
    cluster: Cluster,
    rules: Rules,
}

impl Scene {
    fn new(stack: Stack, rules: Rules) -> Self {
        let cluster = Cluster::new(3, stack);
        let members = &cluster.fleet.members;
        // Docker is there, too. By its own tables flanneld could not help that.
        for member in members.iter().filter(|_| rules == Rules::Iptables) {
            member.node.tool("iptables", "-w -P FORWARD DROP");
        }
        let start = |member| cluster.flanneld(member, rules, &["--ip-masq"]);
        let flannelds: Vec<_> = members.iter().map(start).collect();
        let pods: Vec<_> = members.iter().map(flannel_pod).collect();
        for member in members {
            let routed = || routes(member, "boot") == 2 * cluster.fleet.network().len();
            assert!(member.node.eventually(PATIENCE, routed).is_some());
        }
        let ends = cluster.fleet.outside_addresses().into_iter();
        let inquire = |(to, node)| Inquirer::start(&pods[0], &cluster.fleet.outside, to, node);
        Self {
            streams: streams(&pods),
            inquirers: ends.zip(members[0].underlay()).map(inquire).collect(),
            pods,
            flannelds,
            cluster,
            rules,
        }
    }

    /// The node that is moved.
    fn member(&self) -> &Member {
        &self.cluster.fleet.members[0]
    }

    fn macs(&self) -> Vec<Mac> {
        let links = self.member().node.interfaces();
        let devices = DEVICES
            .iter()
            .filter(|it| links.contains(&(**it).to_owned()));
        devices
            .map(|name| self.member().node.link(name).mac)
            .collect()
    }

    /// What the Node says of its device.
    fn data(&self) -> Value {
        let node = self.cluster.kubernetes.node(&self.member().name);
        node.expect("it is registered")["metadata"]["annotations"][DATA].clone()
    }

    /// Lets the pods talk.
    fn talk(&self) {
        for stream in &self.streams {
            assert!(stream.wait_for(BETWEEN, PATIENCE));
        }
    }

    /// Ends what is said.
    fn hush(&mut self) {
        self.streams.clear();
        self.inquirers.clear();
    }

    /// The rules by which somebody masquerades on the node.
    fn rules(&self) -> String {
        self.member().node.tool("nft", "list ruleset")
    }

    fn take_over(&mut self) -> Agent {
        self.flannelds.remove(0).terminate();
        let agent = self.cluster.podwired(self.member(), &ARGS);
        agent.wait_for_state("converged", PATIENCE, |state| state["converged"] == true);
        agent
    }

    fn go_back(&mut self, agent: Agent) {
        agent.terminate();
        let member = &self.cluster.fleet.members[0];
        let flanneld = self.cluster.flanneld(member, self.rules, &["--ip-masq"]);
        let masquerades = || {
            let rules = member.node.tool("nft", "list ruleset");
            ["jump FLANNEL-POSTRTG", "chain postrtg"]
                .iter()
                .any(|it| rules.contains(it))
        };
        assert!(member.node.eventually(PATIENCE, masquerades).is_some());
        let cleanup = podwired(&member.node, &["cleanup", "--keep-device"]);
        assert!(cleanup.success(), "{cleanup}\n{}", flanneld.log());
        self.flannelds.insert(0, flanneld);
    }
}

/// Between each two pods, both ways and by all families.
fn streams(pods: &[Pod]) -> Vec<Stream> {
    let mut streams = Vec::new();
    for (port, from) in (90..).zip(pods) {
        let others = (90..).zip(pods).filter(|(other, _)| *other != port);
        for (_, to) in others {
            // IPv6 may take a second to find the first neighbour.
            let start = |address| {
                assert!(ping(from, address, PATIENCE), "{address}");
                Stream::start(from, to, address, port, PACE)
            };
            streams.extend(to.all_addresses().into_iter().map(start));
        }
    }
    streams
}

/// How many routes of a protocol lead a member to others' pods.
fn routes(member: &Member, protocol: &str) -> usize {
    let show = |family| {
        member
            .node
            .ip(&format!("{family} route show proto {protocol}"))
    };
    ["-4", "-6"].map(show).concat().matches(" onlink").count()
}

fn there_and_back(stack: Stack, rules: Rules) {
    let mut scene = Scene::new(stack, rules);
    let families = scene.cluster.fleet.network().len();
    let (macs, data) = (scene.macs(), scene.data());
    assert_eq!(macs.len(), families);
    scene.talk();
    let agent = scene.take_over();
    scene.talk();
    assert_eq!((scene.macs(), scene.data()), (macs.clone(), data.clone()));
    let member = scene.member();
    assert_eq!(
        (routes(member, "118"), routes(member, "boot")),
        (2 * families, 0)
    );
    let ruleset = scene.rules();
    for trace in ["FLANNEL-", "flannel-ipv"] {
        assert!(!ruleset.contains(trace), "{ruleset}\n{}", agent.log());
    }
    let status = agent.status();
    assert_eq!(status["usable"], true, "{status}\n{}", agent.log());
    scene.go_back(agent);
    scene.talk();
    assert_eq!((scene.macs(), scene.data()), (macs, data));
    let member = scene.member();
    assert_eq!(
        (routes(member, "118"), routes(member, "boot")),
        (0, 2 * families)
    );
    assert!(!scene.rules().contains("podwire"), "{}", scene.rules());
    let tallies = std::mem::take(&mut scene.streams)
        .into_iter()
        .map(Stream::end);
    let tallies: Vec<_> = tallies.collect();
    let sent: u64 = tallies.iter().map(|it| it.sent).sum();
    let lost: u64 = tallies.iter().map(integration_tests::Tally::lost).sum();
    // Each of them was answered, and to the node's address.
    let asked: u64 = std::mem::take(&mut scene.inquirers)
        .into_iter()
        .map(Inquirer::end)
        .sum();
    eprintln!("{stack:?}, {rules:?}: {lost} of {sent} datagrams lost, {asked} questions answered");
    assert!(asked > 1000, "{asked}");
    assert_eq!(tallies.len(), 6 * families);
    assert_eq!(lost, 0, "{tallies:?}");
}

#[test]
fn no_packet_is_lost_there_and_back() {
    there_and_back(Stack::V4, Rules::Iptables);
}

#[test]
fn nor_in_both_families_with_its_own_tables() {
    there_and_back(Stack::Dual, Rules::Nftables);
}

/// The conflist that flannel ships, but for host ports.
fn shipped() -> Network {
    Network::new(
        json!({"name": "cbr0", "cniVersion": "0.3.1", "type": "flannel",
        "delegate": {"hairpinMode": true, "isDefaultGateway": true}}),
    )
}

/// A pod that flannel's plugin attached before ends afterwards, and leaves its address to others.
#[test]
fn the_end_of_a_pod_of_flannels_is_served() {
    let mut scene = Scene::new(Stack::V4, Rules::Iptables);
    let _agent = scene.take_over();
    scene.hush();
    let (pod, member) = (&scene.pods[0], scene.member());
    let delegate: Value = serde_json::from_str(&delegated(member).text()).expect("it is JSON");
    let mut delegate = delegate["plugins"][0].clone();
    delegate["name"] = "cbr0".into();
    delegate["cniVersion"] = "0.3.1".into();
    let record = format!("/var/lib/cni/flannel/{}", pod.name());
    member.node.write(&record, delegate.to_string());
    let address = pod.all_addresses()[0].to_string();
    let leases = || member.node.list("/var/lib/cni/networks/cbr0");
    assert!(leases().contains(&address), "{:?}", leases());
    let ended = member.runner.del(&shipped(), pod, "eth0");
    assert!(ended.is_ok(), "{ended:?}");
    assert!(!leases().contains(&address), "{:?}", leases());
    assert_eq!(member.node.list("/var/lib/cni/flannel"), [""; 0]);
}

/// A pod that begins afterwards, by flannel's conflist, is one of the network of the earlier ones.
#[test]
fn a_new_pod_is_beside_those_of_flannels() {
    let mut scene = Scene::new(Stack::V4, Rules::Iptables);
    let agent = scene.take_over();
    scene.hush();
    let member = scene.member();
    assert_eq!(subnet_env(member)["FLANNEL_IPMASQ"], "true");
    let pod = member.attach(&shipped());
    for old in &scene.pods {
        let old = old.all_addresses()[0];
        assert!(
            old != pod.all_addresses()[0] && ping(&pod, old, PATIENCE),
            "{old}"
        );
    }
    let outside = scene.cluster.fleet.outside_addresses()[0];
    let seen = seen(&pod, &scene.cluster.fleet.outside, outside);
    assert_eq!(seen, member.underlay()[0], "{}", agent.log());
}

/// Both at once on one node: the affinity that keeps them apart is missing, and pods talk on.
#[test]
fn a_flanneld_that_runs_still_is_told_of_and_does_no_harm() {
    let scene = Scene::new(Stack::V4, Rules::Iptables);
    let args = [&ARGS[..], &["--audit-interval", "1"]].concat();
    let agent = scene.cluster.podwired(scene.member(), &args);
    let told = agent.says("flanneld seems to run still (it is process", PATIENCE);
    assert!(told, "{}", agent.log());
    // It makes its rules anew within five seconds.
    let again = agent.log().len();
    let removed = agent.says_after(again, "removed flannel's rules", 2 * PATIENCE);
    assert!(removed.is_some(), "{}", agent.log());
    scene.talk();
    let said = agent.log().matches("seems to run still").count();
    assert_eq!(said, 1, "{}", agent.log());
    let lost: u64 = scene.streams.into_iter().map(|it| it.end().lost()).sum();
    assert_eq!(lost, 0);
    for inquirer in scene.inquirers {
        inquirer.end();
    }
}
