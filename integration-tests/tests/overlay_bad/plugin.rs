// SPDX-License-Identifier: Apache-2.0
//! Given to the plugin `vxlan`, which programs the overlay by itself.

use integration_tests::{Fleet, Member, PATIENCE, Pod, Stack, changed, ping};
use serde_json::{Value, json};

use crate::{assert_nothing_lost, bad_entries, many, streams};

/// A cluster with a pod on each node; what is bad is given to the first node.
struct World {
    fleet: Fleet,
    pods: Vec<Pod>,
}

impl World {
    fn new(count: u8, stack: Stack) -> Self {
        let fleet = Fleet::new(count, stack);
        let pods = fleet.attach_each(&json!({}));
        Self { fleet, pods }
    }

    fn first(&self) -> &Member {
        &self.fleet.members[0]
    }

    /// Attaches one more pod to the first node with these keys for `vxlan`; what was said.
    fn attach(&self, keys: &Value) -> (Pod, String) {
        let (node, runner) = (&self.first().node, &self.first().runner);
        let pod = node.any_pod();
        let network = self.fleet.conflist(self.first(), keys);
        let added = runner.add_hearing(&network, &pod, "eth0");
        (pod, added.unwrap_or_else(|failure| panic!("{failure}")).1)
    }

    /// Code and text of the error by which `vxlan` refuses to attach a pod.
    fn refused(&self, keys: &Value) -> (u64, String) {
        let (node, runner) = (&self.first().node, &self.first().runner);
        let pod = node.any_pod();
        let network = self.fleet.conflist(self.first(), keys);
        let failure = runner.add(&network, &pod, "eth0").expect_err("it is bad");
        assert_eq!(failure.call, "vxlan ADD", "{failure}");
        let deleted = runner.del(&network, &pod, "eth0");
        deleted.unwrap_or_else(|failure| panic!("{failure}"));
        failure.error()
    }

    fn assert_refused(&self, keys: &Value, code: u64, words: &[&str]) {
        let (found, text) = self.refused(keys);
        let said = words.iter().all(|word| text.contains(word));
        assert!(found == code && said, "{code} {words:?}: {found} {text}");
    }
}

/// Its node keeps the entry that it had, and everybody else is served.
#[test]
fn a_bad_entry_is_named_and_costs_nothing() {
    let world = World::new(3, Stack::Dual);
    let known: Vec<_> = [1, 2]
        .into_iter()
        .flat_map(|to| streams(&world.pods, to))
        .collect();
    for (nodes, words, _) in bad_entries(&world.fleet) {
        let keys = json!({"nodes": nodes});
        let (pod, said) = world.attach(&keys);
        let kept = said.contains("node n3 keeps its last good entry");
        assert!(
            kept && words.iter().all(|word| said.contains(word)),
            "{words:?}: {said}"
        );
        for address in [1, 2]
            .into_iter()
            .flat_map(|to| world.pods[to].all_addresses())
        {
            assert!(ping(&pod, address, PATIENCE), "{address}");
        }
        let network = world.fleet.conflist(world.first(), &keys);
        world.first().runner.check(&network, &pod, "eth0").unwrap();
    }
    let (_pod, said) = world.attach(&json!({}));
    assert_eq!(said, "", "the list is good again");
    assert_nothing_lost(known);
}

/// To whom the node is new, there is nothing that it could keep: one family of it is left out.
#[test]
fn a_new_node_with_a_bad_entry_is_left_out_and_costs_no_other() {
    for case in 0..7 {
        let fleet = Fleet::new(3, Stack::Dual);
        let [first, others @ ..] = &fleet.members[..] else {
            unreachable!("there are three")
        };
        let attach = |it: &Member| it.attach(&fleet.conflist(it, &json!({})));
        let pods: Vec<_> = others.iter().map(attach).collect();
        let (nodes, words, v4) = bad_entries(&fleet).swap_remove(case);
        let pod = first.node.any_pod();
        let network = fleet.conflist(first, &json!({"nodes": nodes}));
        let (_, said) = first.runner.add_hearing(&network, &pod, "eth0").unwrap();
        let left = said.contains("node n3 is left out");
        assert!(
            left && words.iter().all(|word| said.contains(word)),
            "{words:?}: {said}"
        );
        let other_family = pods[1].all_addresses().into_iter();
        let other_family = other_family.filter(|address| address.is_ipv4() != v4);
        for address in pods[0].all_addresses().into_iter().chain(other_family) {
            assert!(ping(&pod, address, PATIENCE), "{address}: {said}");
        }
        first.runner.check(&network, &pod, "eth0").unwrap();
    }
}

#[test]
fn what_gives_this_node_no_overlay_is_refused_and_nothing_is_lost() {
    let world = World::new(2, Stack::Dual);
    let (node, nodes) = (&world.first().node, world.fleet.nodes());
    let streams = streams(&world.pods, 1);
    let whole = world.fleet.nodes_json();
    let file = "/run/lab/nodes.json";
    for half in [0, 1, whole.len() / 2, whole.len() - 1] {
        node.write(file, &whole[..half]);
        let keys = json!({"nodes": null, "nodesFile": file});
        world.assert_refused(&keys, 7, &[file, "EOF"]);
    }
    // In a file that is Podwire's alone a key that nobody knows is a typing error.
    node.write(file, whole.replacen("podCIDRs", "podCidr", 1));
    let keys = json!({"nodes": null, "nodesFile": file});
    world.assert_refused(&keys, 7, &[file, "nodes[0]", "podCidr"]);
    let keys = json!({"nodes": null, "nodesFile": "/run/lab/none"});
    world.assert_refused(&keys, 7, &["/run/lab/none"]);
    for (keys, words) in [
        (
            json!({"nodes": [nodes[1]]}),
            ["none of the 1 nodes", "address"],
        ),
        (json!({"nodes": []}), ["none of the 0 nodes", "address"]),
        (
            json!({"node": "n7"}),
            [
                "node n7, which is this one,",
                "is not in the list of 2 nodes",
            ],
        ),
        (
            json!({"nodes": changed(&nodes, "0.podCIDRs.0", json!("10.201.1.0/24"))}),
            ["node n1, which is this one", "10.201.1.0/24 is not within"],
        ),
        (
            json!({"nodes": changed(&nodes, "0.underlay", json!([]))}),
            ["none of the 2 nodes", "address"],
        ),
        (
            json!({"network": null}),
            ["no network is given", "for the pods"],
        ),
        (json!({"network": "10.200.0.0"}), ["10.200.0.0", "network"]),
        (
            json!({"vni": 0}),
            ["VNI 0 is not a number from 1 to 16777215", "vni"],
        ),
        (
            json!({"vni": 16_777_216}),
            ["VNI 16777216 is not a number from 1 to 16777215", "vni"],
        ),
        (json!({"port": 0}), ["`0`", "port"]),
        (json!({"port": 65_536}), ["`65536`", "port"]),
        (
            json!({"nodes": changed(&nodes, "1.underlay", json!("192.0.2.256"))}),
            ["nodes[1]", "192.0.2.256"],
        ),
        (
            json!({"nodes": changed(&nodes, "1.podCIDRs.0", json!("10.200.2.0/33"))}),
            ["nodes[1]", "10.200.2.0/33"],
        ),
        (
            json!({"nodes": changed(&nodes, "1.mac", json!("02:00:00:00:00"))}),
            ["nodes[1]", "02:00:00:00:00"],
        ),
        (
            json!({"nodes": changed(&nodes, "1.name", json!(""))}),
            ["nodes[1]", "empty name"],
        ),
    ] {
        world.assert_refused(&keys, 7, &words);
    }
    assert_nothing_lost(streams);
}

#[test]
fn an_underlay_that_is_gone_is_named_until_it_is_back() {
    let world = World::new(2, Stack::Dual);
    for family in streams(&world.pods, 1) {
        assert!(family.wait_for(5, PATIENCE));
    }
    world.fleet.pull_out(world.first());
    // The node knows itself by its address: without it, only a name says who it is.
    world.assert_refused(&json!({}), 7, &["none of the 2 nodes"]);
    let named = json!({"node": "n1"});
    world.assert_refused(&named, 11, &["no link of this node has", "192.0.2.11"]);
    world.fleet.plug_in(world.first());
    let (pod, said) = world.attach(&named);
    assert_eq!(said, "");
    for address in world.pods[1].all_addresses() {
        assert!(ping(&pod, address, PATIENCE), "{address}");
    }
    assert_nothing_lost(streams(&world.pods, 1));
}

/// The first of them as far as the kernel's tables carry.
#[test]
fn a_list_of_65000_nodes_is_no_matter() {
    let world = World::new(2, Stack::V4);
    let streams = streams(&world.pods, 1);
    let nodes = many(&world.fleet);
    let file = "/run/lab/nodes.json";
    world
        .first()
        .node
        .write(file, json!({"nodes": nodes}).to_string());
    let keys = json!({"nodes": null, "nodesFile": file, "network": "10.0.0.0/8"});
    let (pod, said) = world.attach(&keys);
    assert_eq!(said, "");
    assert!(ping(&pod, world.pods[1].ipv4("eth0"), PATIENCE));
    assert_nothing_lost(streams);
    let routes = world.first().node.ip("route show dev podwire.1");
    assert_eq!(routes.lines().count(), 64_999);
}
