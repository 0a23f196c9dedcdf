// SPDX-License-Identifier: Apache-2.0
//! A node that changes from the reference plugins to Podwire's, and back, by their executables
//! alone: the conflist stays, the runtime knows nothing of it, and the pods talk meanwhile.

mod chain;

use std::fs;
use std::path::{Path, PathBuf};

use integration_tests::{
    Conversation, Network, Node, Outside, PATIENCE, Pod, Runner, bench, binaries, ping, podwired,
    seen,
};
use serde_json::json;

/// What the runtime has as CNI_PATH.
const PLUGINS: &str = "/run/lab/cni/bin";
/// What of Podwire's takes the place of what.
const NAMES: [&str; 3] = ["bridge", "host-local", "loopback"];

/// A directory with these plugins, as an image or a package has it.
fn copies(node: &Node, name: &str, from: &Path, plugins: &[&str]) -> PathBuf {
    let directory = Path::new("/run/lab").join(name);
    node.run(|| {
        fs::create_dir_all(&directory).expect("a node's /run is writable");
        for plugin in plugins {
            let copied = fs::copy(from.join(plugin), directory.join(plugin));
            copied.unwrap_or_else(|error| panic!("{plugin}: {error}"));
        }
    });
    directory
}

/// Puts these executables into the place of those of the same names.
fn install(node: &Node, from: &Path) {
    let made = node.run(|| fs::create_dir_all(PLUGINS));
    made.expect("a node's /run is writable");
    let from = from.display().to_string();
    let outcome = podwired(node, &["install", "--from", &from, "--to", PLUGINS]);
    assert!(outcome.success(), "{outcome}");
}

/// A node with the reference plugins, and a conflist of theirs with one that Podwire does not have.
struct Site {
    node: Node,
    outside: Outside,
    runner: Runner,
    network: Network,
}

impl Site {
    fn new() -> Self {
        let node = Node::new();
        let outside = Outside::new(&node, 1500);
        // The reference plugin does not wait until its gateway's address is no duplicate.
        node.write("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
        let runner = Runner::with_plugins(&node, PLUGINS);
        let network = Network::of_bridge(
            "pods",
            &["10.1.5.0/24", "fd00:1:5::/64"],
            json!({"ipMasq": true, "hairpinMode": true}),
        );
        let site = Self {
            node,
            outside,
            runner,
            network: network.followed_by(json!({"type": "portmap"})),
        };
        let theirs = [&NAMES[..], &["portmap"]].concat();
        let theirs = copies(&site.node, "theirs", &binaries::go_plugins(), &theirs);
        install(&site.node, &theirs);
        site
    }

    fn attach(&self, name: &str) -> Pod {
        let pod = self.node.pod(name);
        let added = self.runner.add(&self.network, &pod, "eth0");
        added.unwrap_or_else(|failure| panic!("{name}: {failure}"));
        pod
    }

    /// Whether Podwire's `bridge` has attached a pod, by what it writes on the host interface.
    fn is_ours(&self, pod: &Pod) -> bool {
        let alias = format!("alias podwire pods {} eth0", pod.name());
        self.node.ip("link show").contains(&alias)
    }

    fn detach(&self, pod: &Pod) {
        let detached = self.runner.del(&self.network, pod, "eth0");
        detached.unwrap_or_else(|failure| panic!("{}: {failure}", pod.name()));
        assert_eq!(pod.interfaces(), [""; 0]);
    }

    /// Pods see each other as themselves; for the world outside they are the node.
    fn assert_talk(&self, pods: &[&Pod]) {
        let pairs = pods
            .iter()
            .flat_map(|from| pods.iter().map(move |to| (from, to)));
        for (from, to) in pairs.filter(|(from, to)| from.name() != to.name()) {
            for address in [to.ipv4("eth0"), to.ipv6("eth0")] {
                assert!(ping(from, address, PATIENCE), "{} {address}", from.name());
            }
        }
        for pod in pods {
            assert_eq!(seen(pod, &self.outside, Outside::V4), Outside::NODE_V4);
            assert_eq!(seen(pod, &self.outside, Outside::V6), Outside::NODE_V6);
        }
    }
}

#[test]
fn executables_change_under_pods_that_talk_and_change_back() {
    let site = Site::new();
    let [a, b] = ["a", "b"].map(|name| site.attach(name));
    let between = Conversation::start(&a, &b, b.ipv4("eth0"), 7001);
    let beyond = Conversation::start(&a, &site.outside, Outside::V4, 7002);

    let ours = copies(&site.node, "ours", binaries::plugins(), &NAMES);
    install(&site.node, &ours);
    let c = site.attach("c");
    assert!(site.is_ours(&c) && !site.is_ours(&a));
    site.assert_talk(&[&a, &b, &c]);
    for pod in [&a, &b, &c] {
        site.runner.check(&site.network, pod, "eth0").unwrap();
    }
    for conversation in [&between, &beyond] {
        assert!(conversation.wait_for(10, PATIENCE));
    }
    between.end();
    site.detach(&b);
    site.assert_talk(&[&a, &c]);

    install(&site.node, Path::new("/run/lab/theirs"));
    let d = site.attach("d");
    assert!(!site.is_ours(&d));
    site.assert_talk(&[&a, &c, &d]);
    assert!(beyond.wait_for(10, PATIENCE));
    beyond.end();
    for pod in [&a, &c, &d] {
        site.detach(pod);
    }
    assert_eq!(bench::leases(&site.node, "pods"), [""; 0]);
}

/// Nothing of the reference plugins' is needed any more once their pods are gone.
#[test]
fn what_the_reference_plugins_left_goes_with_their_pods() {
    let site = Site::new();
    let old = site.attach("old");
    let rules = |site: &Site| site.node.tool("nft", "list ruleset");
    assert!(rules(&site).contains("CNI-"), "{}", rules(&site));
    let ours = copies(&site.node, "ours", binaries::plugins(), &NAMES);
    install(&site.node, &ours);
    let new = site.attach("new");
    site.detach(&old);
    let left = rules(&site);
    assert!(!left.contains("10.1.5.2"), "{left}");
    site.assert_talk(&[&new]);
    site.detach(&new);
}
