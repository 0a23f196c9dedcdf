// SPDX-License-Identifier: Apache-2.0
//! What a large cluster costs a node: thousands of Node objects in a real API server, `podwired` on
//! some nodes and the real flanneld on one, in the same run. All share this machine's processors.
//!
//! Usage: `cargo bench --package e2e-tests --bench scale [-- NODES [AGENTS]]`; 5,000 nodes and one
//! agent unless it is said.

#![allow(clippy::print_stdout)]

mod fakes;
mod measured;
mod routes;

use std::thread;
use std::time::{Duration, Instant};

use e2e_tests::{Cluster, Flanneld, Rules};
use integration_tests::{Agent, Member, Stack};
use serde_json::{Value, json};

use fakes::{fake, name, pods};
use measured::{memory, received};
use routes::Routes;

/// All pods: a /24 for each of up to 65,536 nodes.
const NETWORK: &str = "10.0.0.0/8";
/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(300);
/// How many nodes are created one by one, and how many at once.
const JOINS: usize = 200;

fn main() {
    let mut numbers = std::env::args().filter_map(|word| word.parse::<u16>().ok());
    let nodes = numbers.next().unwrap_or(5000).into();
    let agents = numbers
        .next()
        .and_then(|it| it.try_into().ok())
        .unwrap_or(1);
    let mut bench = Bench::new(nodes, agents);
    println!("{nodes} nodes, each of {} bytes as JSON", bench.size());
    bench.start();
    bench.update();
    bench.join();
}

/// The cluster and what runs in it.
struct Bench {
    // These end before the nodes that they run in.
    agents: Vec<Agent>,
    flanneld: Option<Flanneld>,
    cluster: Cluster,
    nodes: usize,
    /// How many members have an agent; one more has flanneld.
    count: usize,
}

impl Bench {
    fn new(nodes: usize, agents: u8) -> Self {
        let cluster = Cluster::new(agents + 1, Stack::V4);
        let begun = Instant::now();
        let objects: Vec<_> = (0..nodes).map(fake).collect();
        cluster.kubernetes.create_all("/api/v1/nodes", &objects);
        println!("created in {:.1} s", begun.elapsed().as_secs_f64());
        Self {
            cluster,
            nodes,
            count: agents.into(),
            agents: Vec::new(),
            flanneld: None,
        }
    }

    fn size(&self) -> usize {
        let node = self.cluster.kubernetes.node("fake-0");
        node.expect("it was created").to_string().len()
    }

    fn members(&self) -> impl Iterator<Item = &Member> {
        self.cluster.fleet.members.iter()
    }

    fn member(&self, index: usize) -> &Member {
        &self.cluster.fleet.members[index]
    }

    /// From nothing to all peers.
    fn start(&mut self) {
        println!(
            "\n| | list and watches, bytes | all peers after, s | resident, MB | at most, MB |"
        );
        println!("|---|---:|---:|---:|---:|");
        for index in 0..self.count {
            let member = self.member(index);
            let (before, begun) = (received(member), Instant::now());
            let agent = self.cluster.podwired(member, &["--network", NETWORK]);
            let all = |state: &Value| {
                let programmed = state["peersProgrammed"].as_u64();
                state["converged"] == true && programmed >= Some(self.nodes as u64)
            };
            agent.wait_for_state("all peers", PATIENCE, all);
            let seconds = begun.elapsed();
            self.row("podwired", agent.pid(), received(member) - before, seconds);
            self.agents.push(agent);
        }
        let member = self.member(self.count);
        let (before, begun) = (received(member), Instant::now());
        let mut configuration = Flanneld::configuration(Stack::V4, Rules::Nftables);
        configuration["Network"] = NETWORK.into();
        let kubeconfig = self.cluster.kubeconfig();
        let flanneld = Flanneld::start(member, &configuration, &kubeconfig, &[]);
        let last = pods(self.nodes - 1);
        while member.node.ip("route show dev flannel.1").lines().count() < self.nodes {
            assert!(begun.elapsed() < PATIENCE, "flanneld does not route {last}");
            thread::sleep(Duration::from_millis(100));
        }
        let seconds = begun.elapsed();
        self.row(
            "flanneld",
            flanneld.pid(),
            received(member) - before,
            seconds,
        );
        self.flanneld = Some(flanneld);
    }

    fn row(&self, name: &str, pid: u32, bytes: u64, took: Duration) {
        let [resident, most] = memory(pid);
        println!(
            "| {name} | {bytes} | {:.2} | {resident:.1} | {most:.1} |",
            took.as_secs_f64()
        );
    }

    /// What ten minutes bring: each kubelet writes its node's status every five minutes.
    fn update(&self) {
        let before: Vec<_> = self.members().map(received).collect();
        for round in 0..2 {
            let patches = (0..self.nodes).map(|number| {
                let path = format!("/api/v1/nodes/{}/status", name(number));
                let beat = format!("2026-01-01T00:{:02}:{:02}Z", round, number % 60);
                let condition = json!({
                    "type": "Ready", "status": "True", "reason": "KubeletReady",
                    "lastHeartbeatTime": beat, "lastTransitionTime": "2026-01-01T00:00:00Z",
                });
                (path, json!({"status": {"conditions": [condition]}}))
            });
            self.cluster
                .kubernetes
                .patch_all(&patches.collect::<Vec<_>>());
        }
        // All watches have brought the last of them when they have brought what comes after it.
        let node = fake(self.nodes);
        let heard: Vec<_> = self.members().map(Routes::of).collect();
        self.cluster.kubernetes.create_node(&node);
        for routes in &heard {
            routes.wait_for(&pods(self.nodes));
        }
        println!("\n| | bytes in ten minutes of status updates | resident, MB |");
        println!("|---|---:|---:|");
        for (index, before) in before.into_iter().enumerate() {
            let bytes = received(self.member(index)) - before;
            let agent = self.agents.get(index).map(|agent| agent.pid());
            let flanneld = self.flanneld.as_ref().map(|flanneld| flanneld.pid());
            let (name, pid) = match agent {
                Some(pid) => ("podwired", pid),
                None => ("flanneld", flanneld.expect("it was started")),
            };
            println!("| {name} | {bytes} | {:.1} |", memory(pid)[0]);
        }
    }

    /// From the request that creates a Node to its route in the kernel of each of the others.
    fn join(&self) {
        let heard: Vec<_> = self.members().map(Routes::of).collect();
        let mut times = vec![Vec::new(); heard.len()];
        let first = self.nodes + 1;
        for number in first..first + JOINS {
            let node = fake(number);
            let begun = Instant::now();
            self.cluster.kubernetes.create_node(&node);
            for (routes, times) in heard.iter().zip(&mut times) {
                times.push(routes.wait_for(&pods(number)) - begun);
            }
        }
        tell("one by one", times);
        let first = first + JOINS;
        let objects: Vec<_> = (first..first + JOINS).map(fake).collect();
        let begun = Instant::now();
        self.cluster
            .kubernetes
            .create_all("/api/v1/nodes", &objects);
        let created = begun.elapsed();
        let mut times = vec![Vec::new(); heard.len()];
        for (routes, times) in heard.iter().zip(&mut times) {
            for number in first..first + JOINS {
                times.push(routes.wait_for(&pods(number)) - begun);
            }
        }
        let title = format!("all at once, created within {} ms", created.as_millis());
        tell(&title, times);
    }
}

fn tell(title: &str, times: Vec<Vec<Duration>>) {
    println!("\n| {JOINS} nodes join, {title} | median, ms | 99th percentile, ms | longest, ms |");
    println!("|---|---:|---:|---:|");
    let nodes = times.len();
    for (index, mut times) in times.into_iter().enumerate() {
        times.sort_unstable();
        let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e3;
        let name = if index + 1 < nodes {
            "podwired"
        } else {
            "flanneld"
        };
        println!(
            "| {name} | {:.1} | {:.1} | {:.1} |",
            at(50),
            at(99),
            at(100)
        );
    }
}
