// SPDX-License-Identifier: Apache-2.0
//! A node whose firewalld drops what it forwards: the pods of `firewall` are sources of a zone that
//! lets their packets through. firewalld and its message bus are Debian's, on the node alone.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use integration_tests::{
    BRIEFLY, Network, Node, Outside, PATIENCE, Pod, Program, Runner, State, binaries, ping,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

/// firewalld is a large program of an interpreted language.
const START: Duration = Duration::from_secs(60);
/// A bus whose one service is started when it is asked for, as a system's is.
const BUS: &str = r#"<busconfig>
  <type>session</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <servicedir>/run/lab/services</servicedir>
  <policy context="default">
    <allow user="*"/> <allow own="*"/> <allow send_destination="*"/> <allow receive_sender="*"/>
  </policy>
</busconfig>"#;
const SERVICE: &str = "[D-BUS Service]\nName=org.fedoraproject.FirewallD1\n\
    Exec=/usr/sbin/firewalld --nofork --system-config /run/lab/firewalld --log-file /run/lab/log\n";

struct Site {
    node: Node,
    outside: Outside,
    runner: Runner,
    bus: Option<Program>,
    running: bool,
}

impl Site {
    fn new(plugins: impl FnOnce(&Node) -> PathBuf) -> Self {
        let node = Node::new();
        let outside = Outside::new(&node, 1500);
        for subnet in ["10.1.0.0/16", "fd00:1::/32"] {
            outside.add_route_back(subnet.parse().expect("a CIDR"));
        }
        let runner = Runner::with_plugins(&node, plugins(&node));
        let mut site = Self {
            node,
            outside,
            runner,
            bus: None,
            running: false,
        };
        site.start();
        site
    }

    /// Starts the bus, and firewalld by asking it.
    fn start(&mut self) {
        self.node.write("/run/dbus/bus.conf", BUS);
        self.node.write("/run/lab/firewalld/firewalld.conf", "");
        self.node.write(
            "/run/lab/services/org.fedoraproject.FirewallD1.service",
            SERVICE,
        );
        let mut bus = Command::new("dbus-daemon");
        bus.args([
            "--config-file=/run/dbus/bus.conf",
            "--nofork",
            "--nopidfile",
        ]);
        bus.arg("--print-address=2");
        let bus = Program::start(&self.node, &mut bus);
        assert!(bus.says("unix:path=", PATIENCE), "{}", bus.log());
        self.bus = Some(bus);
        self.running = true;
        let limit = START.as_millis();
        let asked = format!(
            "--system --print-reply --reply-timeout={limit} --dest=org.fedoraproject.FirewallD1 \
             /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1.getDefaultZone"
        );
        self.node.tool("dbus-send", &asked);
    }

    /// Ends firewalld; its bus stays.
    fn stop(&mut self) {
        let pid = self.node.tool(
            "dbus-send",
            "--system --print-reply=literal --dest=org.freedesktop.DBus / \
             org.freedesktop.DBus.GetConnectionUnixProcessID string:org.fedoraproject.FirewallD1",
        );
        let pid = pid.split_whitespace().last().unwrap_or_default();
        let number = pid.parse().expect("the bus tells a number");
        kill(Pid::from_raw(number), Signal::SIGTERM).expect("firewalld runs");
        let gone = self.node.eventually(START, || {
            !self.node.tool("nft", "list tables").contains("firewalld")
        });
        assert!(gone.is_some(), "firewalld does not end");
        // It has removed its rules, and is about to end.
        self.node.tool("tail", &format!("--pid={pid} -f /dev/null"));
        self.running = false;
    }

    fn zone(&self, method: &str, arguments: &[&str]) -> String {
        let arguments = arguments.join(" ");
        self.node.tool(
            "dbus-send",
            &format!(
                "--system --print-reply=literal --dest=org.fedoraproject.FirewallD1 \
                 /org/fedoraproject/FirewallD1 {method} {arguments}"
            ),
        )
    }

    fn sources(&self, zone: &str) -> String {
        let zone = format!("string:{zone}");
        self.zone("org.fedoraproject.FirewallD1.zone.getSources", &[&zone])
    }

    fn attach(&self, network: &Network, name: &str) -> Pod {
        let pod = self.node.pod(name);
        let added = self.runner.add(network, &pod, "eth0");
        added.unwrap_or_else(|failure| panic!("{name}: {failure}"));
        pod
    }

    fn reaches_outside(&self, pod: &Pod) -> [bool; 2] {
        [Outside::V4, Outside::V6].map(|to: IpAddr| ping(pod, to, PATIENCE))
    }
}

impl Drop for Site {
    /// The node is the last to go.
    fn drop(&mut self) {
        if self.running && !std::thread::panicking() {
            self.stop();
        }
        self.bus = None;
    }
}

fn network(keys: &Value) -> Network {
    let subnets = ["10.1.5.0/24", "fd00:1:5::/64"];
    let network = Network::of_bridge("pods", &subnets, json!({}));
    network
        .followed_by(json!({"type": "firewall"}))
        .with_at(1, keys)
}

fn ours(_: &Node) -> PathBuf {
    binaries::plugins().to_owned()
}

#[test]
fn pods_pass_a_firewalld_that_drops() {
    let site = Site::new(ours);
    let network = network(&json!({}));
    let bare = site.attach(&network.first_plugin(), "bare");
    assert!(
        !ping(&bare, Outside::V4, BRIEFLY),
        "firewalld does not drop"
    );
    // A zone's chains are made with its first source.
    let _keeper = site.attach(&network, "keeper");
    let before = State::of(&site.node);
    let pod = site.attach(&network, "a");
    assert_eq!(site.reaches_outside(&pod), [true; 2]);
    let [v4, v6] = pod.both_addresses();
    assert!(!ping(&site.outside, v4, BRIEFLY));
    for source in [format!("{v4}/32"), format!("{v6}/128")] {
        assert!(site.sources("trusted").contains(&source));
    }
    site.runner.check(&network, &pod, "eth0").unwrap();
    site.runner.status(&network).unwrap();
    // Without a result and without a sandbox.
    site.runner.forget(&network, "a", "eth0");
    drop(pod);
    site.runner.del_with(&network, "a", "", "eth0").unwrap();
    assert!(!site.sources("trusted").contains(&format!("{v4}/32")));
    before.assert_nothing_left(&site.node, &["last_reserved"]);
}

#[test]
fn a_reload_is_told_by_check_and_mended_by_the_next_add() {
    let site = Site::new(ours);
    let network = network(&json!({"firewalldZone": "home"}));
    let pod = site.attach(&network, "a");
    assert!(site.sources("home").contains("10.1.5.2/32"));
    site.zone("org.fedoraproject.FirewallD1.reload", &[]);
    let failure = site.runner.check(&network, &pod, "eth0").unwrap_err();
    let (code, text) = failure.error();
    assert_eq!(code, 105);
    assert!(
        text.contains("zone \"home\" of firewalld has lost the source 10.1.5.2/32"),
        "{text}"
    );
    let other = site.attach(&network, "b");
    for pod in [&pod, &other] {
        site.runner.check(&network, pod, "eth0").unwrap();
    }
    site.runner.gc(&network, &[("b", "eth0")]).unwrap();
    let sources = site.sources("home");
    assert!(!sources.contains("10.1.5.2/32") && sources.contains("10.1.5.3/32"));
    let keys = json!({"firewalldZone": "nowhere"});
    let nowhere = self::network(&keys);
    let pod = site.node.pod("c");
    let failure = site.runner.add(&nowhere, &pod, "eth0").unwrap_err();
    assert_eq!(failure.error().0, 106, "{failure}");
    assert!(failure.error().1.contains("INVALID_ZONE"), "{failure}");
}

#[test]
fn firewalld_can_be_demanded_and_can_be_left_alone() {
    let mut site = Site::new(ours);
    let left_alone = network(&json!({"backend": "nftables"}));
    let pod = site.attach(&left_alone, "a");
    assert!(!site.sources("trusted").contains("10.1.5.2/32"));
    site.runner.del(&left_alone, &pod, "eth0").unwrap();
    let demanded = network(&json!({"backend": "firewalld"}));
    let pod = site.attach(&demanded, "b");
    site.runner.status(&demanded).unwrap();
    site.stop();
    // Nobody is started for the plugin's sake.
    assert_eq!(site.runner.status(&demanded).unwrap_err().error().0, 50);
    let failure = site.runner.check(&demanded, &pod, "eth0").unwrap_err();
    assert!(failure.error().1.contains("message bus"), "{failure}");
    let late = site.node.pod("late");
    let failure = site.runner.add(&demanded, &late, "eth0").unwrap_err();
    assert_eq!(failure.error().0, 106, "{failure}");
    site.bus = None;
    assert_eq!(site.runner.status(&demanded).unwrap_err().error().0, 50);
    // It has forgotten its sources, and DEL has nobody to ask.
    site.runner.del(&demanded, &pod, "eth0").unwrap();
    let ruleset = site.node.tool("nft", "list ruleset");
    assert!(!ruleset.contains("ingress-zones"), "{ruleset}");
}

/// A node that is switched over while its pods run.
#[test]
fn del_takes_away_the_sources_of_the_reference_plugin() {
    let site = Site::new(|node| {
        let theirs = PathBuf::from("/run/lab/theirs");
        node.run(|| {
            std::fs::create_dir_all(&theirs).expect("a node's /run is writable");
            for (from, name) in [
                (binaries::plugins().to_owned(), "bridge"),
                (binaries::plugins().to_owned(), "host-local"),
                (binaries::go_plugins(), "firewall"),
            ] {
                let copied = std::fs::copy(from.join(name), theirs.join(name));
                copied.unwrap_or_else(|error| panic!("{name}: {error}"));
            }
        });
        theirs
    });
    let network = network(&json!({}));
    let pod = site.attach(&network, "a");
    assert!(site.sources("trusted").contains("10.1.5.2/32"));
    assert_eq!(site.reaches_outside(&pod), [true; 2]);
    let ours = Runner::new(&site.node);
    ours.del(&network, &pod, "eth0").unwrap();
    let sources = site.sources("trusted");
    assert!(
        !sources.contains("10.1.5.2") && !sources.contains("fd00"),
        "{sources}"
    );
}
