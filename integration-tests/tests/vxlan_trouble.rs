// SPDX-License-Identifier: Apache-2.0
//! What happens to the plugin `vxlan` in the field: it is killed, its directory cannot be written,
//! the list is emptied by mistake.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::{Duration, Instant};

use integration_tests::{LoneNode, Network, Pod, Runner, bench, binaries};
use serde_json::{Value, json};

const STAMP: &str = "/run/podwire/vxlan.stamp";
const LIST: &str = "/run/lab/nodes.json";
const PEERS: usize = 3000;

fn write(site: &LoneNode, nodes: &Value) {
    site.node.write("/run/lab/new", nodes.to_string());
    site.node.tool("mv", &format!("/run/lab/new {LIST}"));
}

fn by_file() -> Network {
    Network::of_lone_node(&json!({"nodesFile": LIST}))
}

fn has_stamp(site: &LoneNode) -> bool {
    let files = site.node.list("/run/podwire");
    files.contains(&"vxlan.stamp".to_owned())
}

/// How many forwarding entries there are.
fn forwarded(site: &LoneNode) -> usize {
    let links = site.node.interfaces();
    if !links.contains(&"podwire.1".to_owned()) {
        return 0;
    }
    let entries = site.node.tool("bridge", "fdb show dev podwire.1");
    entries.lines().filter(|line| line.contains("dst")).count()
}

/// The clock that stamps files ticks slowly: a change of the list in the same tick would not show.
#[test]
fn a_list_that_is_new_is_read_again() {
    let site = LoneNode::new();
    write(&site, &LoneNode::nodes(2));
    let pod = site.node.pod("a");
    site.add(&by_file(), &pod);
    for _ in 0..20 {
        site.node.output(Command::new("rm").args(["-f", STAMP]));
        site.node.write(LIST, LoneNode::nodes(2).to_string());
        site.vxlan(&site.runner, &by_file(), &pod)
            .run(&site.node)
            .result();
        let changed = |path| {
            let metadata = site.node.run(|| std::fs::metadata(path));
            metadata.map(|it| {
                Duration::new(
                    it.ctime().unsigned_abs(),
                    u32::try_from(it.ctime_nsec()).unwrap(),
                )
            })
        };
        let age = changed(STAMP).unwrap() - changed(LIST).unwrap();
        let stamp = site.node.run(|| std::fs::read(STAMP)).unwrap();
        let vouches = !String::from_utf8_lossy(&stamp).contains("\"fingerprint\":\"\"");
        assert!(!vouches || age > Duration::from_millis(20), "{age:?}");
    }
}

#[test]
fn an_add_killed_while_it_programs_is_gone_on_with() {
    let site = LoneNode::new();
    write(&site, &LoneNode::nodes(3000));
    let pod = site.node.pod("a");
    site.add(&by_file(), &pod);
    let plugin = binaries::plugins().join("vxlan").display().to_string();
    let mut found = BTreeSet::new();
    let mut milliseconds = 10.0;
    while !found.contains(&(PEERS, PEERS)) {
        // Without the device the stamp of the ADD before is found out.
        site.node.ip("link delete podwire.1");
        let text = format!(
            "exec timeout --foreground -s KILL {} {plugin}",
            milliseconds / 1000.0
        );
        let path = bench::script(&site.node, "vxlan", &text);
        let (scripts, _) = path
            .split_once(':')
            .expect("the script's directory is first");
        let killer = Runner::with_plugins(&site.node, scripts);
        site.vxlan(&killer, &by_file(), &pod).run(&site.node);
        let made = (forwarded(&site), site.routes("-4"));
        let halfway = made != (0, 0) && made != (PEERS, PEERS);
        assert!(!(halfway && has_stamp(&site)), "{made:?}");
        found.insert(made);
        site.vxlan(&site.runner, &by_file(), &pod)
            .run(&site.node)
            .result();
        assert_eq!(site.check(&by_file(), &pod), None, "{milliseconds} ms");
        milliseconds *= 1.15;
    }
    // The killer came before anything was made, in between, and after all was.
    assert!(found.len() > 2, "{found:?}");
}

#[test]
fn a_directory_that_cannot_be_written_costs_time_only() {
    let site = LoneNode::new();
    write(&site, &LoneNode::nodes(5));
    // A file stands in the directory's place, which not even root can get past.
    site.node.write("/run/podwire", "");
    let pod = site.node.pod("a");
    for _ in 0..2 {
        site.add(&by_file(), &pod);
        assert_eq!(site.routes("-4"), 5);
        site.node.ip("route flush proto 118");
        site.runner.del(&by_file(), &pod, "eth0").unwrap();
    }
    site.add(&by_file(), &pod);
    let outcome = site.vxlan(&site.runner, &by_file(), &pod).run(&site.node);
    outcome.result();
    for words in [
        "without the lock \"/run/podwire/vxlan.lock\"",
        "no stamp can be left",
    ] {
        assert!(outcome.stderr.contains(words), "{outcome}");
    }
}

/// ADDs until one is not refused, and says how long that took and what the refusals said.
fn until_granted(site: &LoneNode, pod: &Pod) -> (Duration, BTreeSet<(u64, String)>) {
    let start = Instant::now();
    let mut refusals = BTreeSet::new();
    loop {
        let outcome = site.vxlan(&site.runner, &by_file(), pod).run(&site.node);
        if outcome.success() {
            return (start.elapsed(), refusals);
        }
        refusals.insert(outcome.error());
        assert!(start.elapsed() < Duration::from_secs(30), "{refusals:?}");
    }
}

#[test]
fn a_list_that_shrinks_to_nothing_is_believed_a_moment_later() {
    let site = LoneNode::new();
    write(&site, &LoneNode::nodes(4));
    let pod = site.node.pod("a");
    site.add(&by_file(), &pod);
    // The first stamp waits until the list is no longer new.
    while !has_stamp(&site) {
        site.vxlan(&site.runner, &by_file(), &pod)
            .run(&site.node)
            .result();
    }
    write(&site, &LoneNode::nodes(0));
    let mut gc = site.runner.gc(&by_file(), &[("a", "eth0")]).unwrap_err();
    assert_eq!(gc.error().0, 11, "{gc}");
    assert_eq!(site.routes("-4"), 4);
    // It was a mistake, which cost nothing.
    write(&site, &LoneNode::nodes(3));
    let (_, refusals) = until_granted(&site, &pod);
    assert_eq!((site.routes("-4"), refusals.len()), (3, 0));
    while !has_stamp(&site) {
        site.vxlan(&site.runner, &by_file(), &pod)
            .run(&site.node)
            .result();
    }
    write(&site, &LoneNode::nodes(0));
    let (time, refusals) = until_granted(&site, &pod);
    assert!(time >= Duration::from_secs(2), "{time:?}");
    let (code, text) = refusals.first().unwrap();
    assert!(
        *code == 11 && text.contains("where it had 3 more"),
        "{text}"
    );
    assert_eq!(site.routes("-4"), 0);
    gc = match site.runner.gc(&by_file(), &[("a", "eth0")]) {
        Ok(()) => return,
        Err(failure) => failure,
    };
    panic!("{gc}");
}

#[test]
fn entries_that_are_left_out_are_named_and_the_others_served() {
    let site = LoneNode::new();
    let mut nodes = LoneNode::nodes(4);
    nodes[2]["podCIDRs"] = json!(["10.200.1.0/24"]);
    nodes[3]["underlay"] = json!(null);
    write(&site, &nodes);
    let pod = site.node.pod("a");
    site.add(&by_file(), &pod);
    assert_eq!(site.routes("-4"), 2);
    site.node.ip("route flush proto 118");
    let outcome = site.vxlan(&site.runner, &by_file(), &pod).run(&site.node);
    outcome.result();
    let lines: Vec<_> = outcome.stderr.lines().collect();
    assert_eq!(
        lines,
        [
            "node peer2 is left out: its pod CIDR 10.200.1.0/24 overlaps 10.200.1.0/24 of node peer1",
            "node peer3 is left out: it has the pod CIDR 10.200.3.0/24, but no IPv4 underlay address",
        ]
    );
}
