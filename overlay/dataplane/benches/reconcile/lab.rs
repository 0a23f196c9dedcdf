// SPDX-License-Identifier: Apache-2.0
//! A node with an underlay address in a namespace of its own, and clusters of any size.

use std::time::{Duration, Instant};
use std::{io, io::Write, thread};

use dataplane::{Dataplane, Guard, Origin, Report};
use net::{Mac, Netns, NewVeth, Rtnl, VethEnd};
use nft::Nft;
use nix::sched::{CloneFlags, unshare};
use nix::time::{ClockId, clock_gettime};
use topology::{Cluster, Node, Settings};

/// What a run took: by the clock, and of that on a processor. The two differ when others keep the
/// processors busy, or when the kernel waits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    pub(crate) processor: Duration,
}

/// Prints the medians of some runs, each in a namespace of its own, and returns them.
pub(crate) fn row(
    peers: u32,
    what: &str,
    runs: usize,
    run: impl Fn(&Lab) -> Cost + Sync,
) -> io::Result<Cost> {
    // All namespaces stay until the last run: the kernel holds everybody up while one goes.
    let runs_kept = (0..runs).map(|_| in_namespace(&run));
    let (costs, namespaces): (Vec<Cost>, Vec<Netns>) = runs_kept.unzip();
    let median = |of: fn(&Cost) -> Duration| {
        let mut times: Vec<_> = costs.iter().map(of).collect();
        times.sort();
        times[runs / 2]
    };
    drop(namespaces);
    let cost = Cost {
        wall: median(|cost| cost.wall),
        processor: median(|cost| cost.processor),
    };
    let [wall, processor] = [cost.wall, cost.processor].map(|time| time.as_secs_f64() * 1e3);
    writeln!(
        io::stdout(),
        "{peers:>6} peers  {what:<34} {wall:>10.2} ms, {processor:>10.2} ms of processor"
    )?;
    Ok(cost)
}

/// Runs something in a new namespace, which lives as long as what is returned with the result.
pub(crate) fn in_namespace<T: Send>(run: impl Fn(&Lab) -> T + Sync) -> (T, Netns) {
    let once = || {
        unshare(CloneFlags::CLONE_NEWNET).expect("the runner gives the right to namespaces");
        let namespace = Netns::current().expect("a thread has a namespace");
        (run(&Lab::new()), namespace)
    };
    thread::scope(|scope| scope.spawn(once).join().expect("a run succeeds"))
}

pub(crate) fn time<T>(timed: impl FnOnce() -> T) -> (Cost, T) {
    let processor = || {
        let now = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("every thread has it");
        Duration::from(now)
    };
    let (wall, before) = (Instant::now(), processor());
    let result = timed();
    let cost = Cost {
        wall: wall.elapsed(),
        processor: processor().saturating_sub(before),
    };
    (cost, result)
}

/// The time of a call that must not fail.
pub(crate) fn call(timed: impl FnOnce() -> Report) -> Cost {
    let (cost, report) = time(timed);
    assert!(report.errors.is_empty(), "{:?}", report.errors.first());
    cost
}

/// A node with an underlay address, in the namespace of the thread.
pub(crate) struct Lab {
    pub(crate) rtnl: Rtnl,
    pub(crate) settings: Settings,
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

    pub(crate) fn dataplane(&self) -> Dataplane<'_> {
        Dataplane {
            rtnl: &self.rtnl,
            settings: &self.settings,
            origin: Origin::Own,
        }
    }

    pub(crate) fn guard<'a>(&'a self, nft: &'a mut Nft) -> Guard<'a> {
        Guard {
            nft,
            settings: &self.settings,
        }
    }

    pub(crate) fn reconcile(&self, peers: u32) -> Cost {
        let cluster = self.cluster(0..=peers);
        call(|| self.dataplane().reconcile(&cluster))
    }

    /// Node 0 sees a list of the nodes with these numbers, each with a /24.
    pub(crate) fn cluster(&self, numbers: impl IntoIterator<Item = u32>) -> Cluster {
        self.seen(numbers.into_iter().map(node).collect())
    }

    /// The same with another underlay address of node 7.
    pub(crate) fn moved(&self, peers: u32) -> Cluster {
        let mut nodes: Vec<_> = (0..=peers).map(node).collect();
        nodes[7].underlay.v4 = Some([172, 31, 255, 7].into());
        self.seen(nodes)
    }

    fn seen(&self, nodes: Vec<Node>) -> Cluster {
        let seen = Cluster::new("node0", nodes, &self.settings);
        let (cluster, complaints) = seen.expect("node 0 is good");
        assert!(complaints.is_empty(), "{:?}", complaints.first());
        cluster
    }
}

fn node(number: u32) -> Node {
    let (high, low) = (number >> 8, number & 0xff);
    let second = 16 + (number >> 16);
    let json = serde_json::json!({
        "name": format!("node{number}"),
        "underlay": format!("172.{second}.{}.{low}", high & 0xff),
        "podCIDRs": [format!("10.{}.{low}.0/24", high & 0xff)],
    });
    serde_json::from_value(json).expect("it is a node")
}
