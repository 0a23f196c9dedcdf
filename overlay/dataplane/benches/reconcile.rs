// SPDX-License-Identifier: Apache-2.0
//! What a call costs: all peers from nothing, one more, a look without differences, and all of it
//! taken away. Each figure is the median of runs in new namespaces.

use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

use dataplane::{Dataplane, Origin, Report};
use net::{Mac, NewVeth, Rtnl, VethEnd};
use nix::sched::{CloneFlags, unshare};
use topology::{Cluster, Node, Settings};

fn main() -> io::Result<()> {
    for peers in [5000, 20_000, 65_000] {
        let runs = if peers > 5000 { 3 } else { 7 };
        row(peers, "all from nothing", runs, |lab| lab.reconcile(peers))?;
        row(peers, "one more", runs, |lab| {
            lab.reconcile(peers);
            lab.reconcile(peers + 1)
        })?;
        row(peers, "nothing to do", runs, |lab| {
            lab.reconcile(peers);
            lab.reconcile(peers)
        })?;
        row(peers, "an audit", runs, |lab| {
            lab.reconcile(peers);
            let cluster = cluster(peers, &lab.settings);
            time(|| lab.dataplane().audit(&cluster))
        })?;
        row(peers, "all of it removed", runs, |lab| {
            lab.reconcile(peers);
            time(|| lab.dataplane().remove())
        })?;
    }
    Ok(())
}

/// Prints the median of some runs, each in a namespace of its own.
fn row(
    peers: u32,
    what: &str,
    runs: usize,
    run: impl Fn(&Lab) -> Duration + Sync,
) -> io::Result<()> {
    let once = || {
        unshare(CloneFlags::CLONE_NEWNET).expect("the runner gives the right to namespaces");
        run(&Lab::new())
    };
    let timed = |_| thread::scope(|scope| scope.spawn(once).join().expect("a run succeeds"));
    let mut times: Vec<Duration> = (0..runs).map(timed).collect();
    times.sort();
    let median = times[runs / 2].as_secs_f64() * 1e3;
    writeln!(
        io::stdout(),
        "{peers:>6} peers  {what:<20} {median:>10.2} ms"
    )
}

fn time(timed: impl FnOnce() -> Report) -> Duration {
    let begin = Instant::now();
    let report = timed();
    let time = begin.elapsed();
    assert!(report.errors.is_empty(), "{:?}", report.errors.first());
    time
}

/// A node with an underlay address, in the namespace of the thread.
struct Lab {
    rtnl: Rtnl,
    settings: Settings,
}

impl Lab {
    fn new() -> Self {
        let rtnl = Rtnl::open().expect("a socket can be opened");
        let end = |name, last| VethEnd {
            name,
            mac: Mac::new([2, 0, 0, 0, 0, last]),
            up: true,
            master: None,
            alias: None,
        };
        let wire = NewVeth {
            host: end("eth0", 1),
            container: end("eth1", 2),
            mtu: None,
            container_ns: None,
        };
        let below = rtnl.create_veth(&wire).expect("the names are free").host;
        let local = "172.16.0.0/12".parse().expect("it is an address");
        rtnl.add_address(below, local, true)
            .expect("the link has none yet");
        let settings = r#"{"network": "10.0.0.0/8"}"#;
        let settings = serde_json::from_str(settings).expect("it is JSON");
        Self { rtnl, settings }
    }

    fn dataplane(&self) -> Dataplane<'_> {
        Dataplane {
            rtnl: &self.rtnl,
            settings: &self.settings,
            origin: Origin::Own,
        }
    }

    fn reconcile(&self, peers: u32) -> Duration {
        let cluster = cluster(peers, &self.settings);
        time(|| self.dataplane().reconcile(&cluster))
    }
}

/// This node, 0, and so many peers, each with a /24.
fn cluster(peers: u32, settings: &Settings) -> Cluster {
    let node = |number: u32| -> Node {
        let (high, low) = (number >> 8, number & 0xff);
        let second = 16 + (number >> 16);
        let json = serde_json::json!({
            "name": format!("node{number}"),
            "underlay": format!("172.{second}.{}.{low}", high & 0xff),
            "podCIDRs": [format!("10.{}.{low}.0/24", high & 0xff)],
        });
        serde_json::from_value(json).expect("it is a node")
    };
    let nodes = (0..=peers).map(node).collect();
    let (cluster, complaints) = Cluster::new("node0", nodes, settings).expect("node 0 is good");
    assert!(complaints.is_empty(), "{:?}", complaints.first());
    cluster
}
