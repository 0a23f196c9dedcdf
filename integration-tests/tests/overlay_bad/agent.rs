// SPDX-License-Identifier: Apache-2.0
//! Given to `podwired`, which keeps the last good entry of each node, and the last good list.

use std::time::Duration;

use integration_tests::{
    Agent, BRIEFLY, Conversation, Fleet, Member, Network, PATIENCE, Pod, Stack, Stream, changed,
    podwired,
};
use serde_json::{Value, json};

use crate::{assert_nothing_lost, bad_entries, many, streams};

const NODES: &str = "/run/lab/nodes.json";

/// A cluster of three with a pod on each node; on the first one the agent programs the overlay.
struct World {
    agent: Agent,
    pods: Vec<Pod>,
    fleet: Fleet,
}

impl World {
    fn new(stack: Stack, args: &[&str]) -> Self {
        let fleet = Fleet::new(3, stack);
        let first = &fleet.members[0];
        first.node.write(NODES, fleet.nodes_json());
        let agent = Agent::converged(&first.node, &[&["--nodes", NODES], args].concat());
        let attach = |member: &Member| member.attach(&network(&fleet, member));
        let pods = fleet.members.iter().map(attach).collect();
        Self { agent, pods, fleet }
    }

    fn first(&self) -> &Member {
        &self.fleet.members[0]
    }

    /// Datagrams to the pods of both other nodes.
    fn streams(&self) -> Vec<Stream> {
        [1, 2]
            .into_iter()
            .flat_map(|to| streams(&self.pods, to))
            .collect()
    }

    /// Writes the list of nodes as an editor does that knows nothing of half a file.
    fn write(&self, text: impl AsRef<[u8]>) {
        self.first().node.write(NODES, text);
    }

    fn write_nodes(&self, nodes: &Value) {
        let network = self
            .fleet
            .network()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>();
        self.write(json!({"network": network, "nodes": nodes}).to_string());
    }

    fn assert_said(&self, word: &str) {
        assert!(
            self.agent.says(word, PATIENCE),
            "{word:?}: {}",
            self.agent.log()
        );
    }
}

/// The first node's configuration leaves the overlay to the agent, the others program it.
fn network(fleet: &Fleet, member: &Member) -> Network {
    let agents = json!({"nodes": null, "network": null});
    let keys = if member.name == "n1" {
        agents
    } else {
        json!({})
    };
    fleet.conflist(member, &keys)
}

#[test]
fn a_bad_entry_keeps_the_last_good_one() {
    let world = World::new(Stack::Dual, &[]);
    let streams = world.streams();
    for (nodes, [_, fault], _) in bad_entries(&world.fleet) {
        world.write_nodes(&nodes);
        world.assert_said(&fault);
        let log = world.agent.log();
        let line = log.lines().find(|line| line.contains(&fault));
        let kept = line.is_some_and(|line| line.contains("node n3 keeps its last good entry"));
        assert!(kept, "{line:?}");
    }
    world.write(world.fleet.nodes_json());
    world.assert_said("no more trouble with entries of the list");
    assert_nothing_lost(streams);
}

#[test]
fn a_bad_list_keeps_the_last_good_one() {
    let world = World::new(Stack::Dual, &[]);
    let (whole, nodes) = (world.fleet.nodes_json(), world.fleet.nodes());
    let streams = world.streams();
    world.write(&whole[..whole.len() / 2]);
    world.assert_said("EOF while parsing");
    world.write("");
    world.assert_said("EOF while parsing a value");
    world.write("what is this?");
    world.assert_said("expected value");
    world.write_nodes(&json!([nodes[1], nodes[2]]));
    world.assert_said("node n1, which is this one, is not in the list of 2 nodes");
    world.write_nodes(&json!([]));
    world.assert_said("is not in the list of 0 nodes");
    world.write_nodes(&changed(&nodes, "0.podCIDRs.0", json!("10.201.1.0/24")));
    world.assert_said("10.201.1.0/24 is not within the network");
    world.write_nodes(&changed(&nodes, "1.podCIDRs.0", json!("10.200.2.0/33")));
    world.assert_said("nodes[1]");
    world
        .first()
        .node
        .run(|| std::fs::remove_file(NODES))
        .unwrap();
    world.assert_said("No such file");
    let named = |state: &Value| {
        state["lastError"]
            .as_str()
            .is_some_and(|it| it.contains(NODES))
    };
    let state = world.agent.wait_for_state("told", PATIENCE, named);
    assert_eq!(state["converged"], true, "what it has is good");
    world.write(whole);
    world
        .agent
        .wait_for_state("mended", PATIENCE, |state| state["lastError"].is_null());
    assert_nothing_lost(streams);
}

/// A list without peers is believed only when it is read a second time.
#[test]
fn a_list_that_shrinks_to_nothing_for_a_moment_costs_nothing() {
    let world = World::new(Stack::Dual, &["--confirm-after", "5"]);
    let nodes = world.fleet.nodes();
    let streams = world.streams();
    for _ in 0..2 {
        world.write_nodes(&json!([nodes[0]]));
        let all = world
            .first()
            .node
            .eventually(BRIEFLY, || routes(world.first()) < 4);
        assert_eq!(all, None, "it was believed at once");
        world.write_nodes(&nodes);
        let all = world
            .first()
            .node
            .eventually(BRIEFLY, || routes(world.first()) < 4);
        assert_eq!(all, None, "it was believed though it is no longer so");
    }
    assert_nothing_lost(streams);
    world.write_nodes(&json!([nodes[0]]));
    let none = || routes(world.first()) == 0;
    let took = world.first().node.eventually(PATIENCE * 3, none);
    assert!(
        took.expect("it stays so") >= Duration::from_secs(3),
        "{took:?}"
    );
}

/// How many peers' routes of both families there are.
fn routes(member: &Member) -> usize {
    let routes = |family: &str| member.node.ip(&format!("{family} route show proto 118"));
    ["-4", "-6"]
        .map(|family| routes(family).lines().count())
        .iter()
        .sum()
}

#[test]
fn an_underlay_that_is_gone_is_named_until_it_is_back() {
    let world = World::new(Stack::Dual, &[]);
    let addresses = world.pods[1].all_addresses();
    let talk = |address| Conversation::start(&world.pods[0], &world.pods[1], address, 80);
    let conversations: Vec<_> = addresses.into_iter().map(talk).collect();
    world.fleet.pull_out(world.first());
    let broken = |state: &Value| state["converged"] == false;
    let state = world.agent.wait_for_state("broken", PATIENCE, broken);
    let error = state["lastError"].as_str().unwrap();
    assert!(
        error.contains("192.0.2.11") && error.contains("2001:db8:1::11"),
        "{error}"
    );
    let refused = world
        .first()
        .runner
        .status(&network(&world.fleet, world.first()));
    let (code, text) = refused.unwrap_err().error();
    assert!(code == 50 && text.contains("192.0.2.11"), "{code} {text}");
    world.fleet.plug_in(world.first());
    let good = |state: &Value| state["converged"] == true;
    world.agent.wait_for_state("good again", PATIENCE, good);
    for conversation in &conversations {
        assert!(
            conversation.wait_for(20, PATIENCE),
            "{}",
            conversation.seen()
        );
    }
}

#[test]
fn numbers_out_of_range_are_refused_by_name() {
    let fleet = Fleet::new(1, Stack::V4);
    for (option, value, words) in [
        ("--vni", "0", "VNI 0 is not a number from 1 to 16777215"),
        (
            "--vni",
            "16777216",
            "VNI 16777216 is not a number from 1 to 16777215",
        ),
        ("--port", "0", "0"),
        ("--port", "65536", "65536"),
        ("--mtu", "0", "0"),
        ("--network", "10.200.0.0", "10.200.0.0"),
    ] {
        let outcome = podwired(
            &fleet.members[0].node,
            &["run", "--nodes", NODES, option, value],
        );
        assert_eq!(outcome.status, Some(2), "{outcome}");
        let named = [option, words]
            .iter()
            .all(|word| outcome.stderr.contains(word));
        assert!(named && outcome.stdout.is_empty(), "{outcome}");
    }
}

#[test]
fn a_list_of_65000_nodes_comes_and_goes() {
    let world = World::new(Stack::V4, &["--network", "10.0.0.0/8"]);
    let streams = world.streams();
    let limit = PATIENCE * 12;
    world.write(json!({"nodes": many(&world.fleet)}).to_string());
    let programmed = |count: u64| move |state: &Value| state["peersProgrammed"] == count;
    let state = world
        .agent
        .wait_for_state("programmed", limit, programmed(64_999));
    assert_eq!(
        (&state["converged"], &state["peersWished"]),
        (&json!(true), &json!(64_999))
    );
    assert_eq!(routes(world.first()), 64_999);
    world.write(json!({"nodes": world.fleet.nodes()}).to_string());
    world.agent.wait_for_state("swept", limit, programmed(2));
    assert_eq!(routes(world.first()), 2);
    assert_nothing_lost(streams);
}
