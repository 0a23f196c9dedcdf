// SPDX-License-Identifier: Apache-2.0
//! What the peers of a VXLAN device cost, a route, a neighbour and a forwarding
//! entry each: programmed as flannel does it and as a batch, one more, read
//! back, taken away. Each figure is the median of runs in new namespaces.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::thread;
use std::time::{Duration, Instant};

use ipnetwork::IpNetwork;
use net::{FdbEntry, Mac, Neighbour, NewVeth, NewVxlan, Request, Route, RouteEntry, Rtnl, VethEnd};
use nix::sched::{CloneFlags, unshare};

fn main() -> io::Result<()> {
    from_nothing()?;
    for peers in [5000, 65_000] {
        row(peers, "one more", 9, |tunnel| {
            tunnel.apply(&tunnel.peers(0..peers, Metric::Own));
            time(|| tunnel.apply(&tunnel.peers(peers..peers + 1, Metric::Own)))
        })?;
        row(peers, "read back: routes, neighbours, FDB", 5, |tunnel| {
            tunnel.apply(&tunnel.peers(0..peers, Metric::Own));
            time(|| tunnel.audit(peers))
        })?;
        row(peers, "the device deleted with all of them", 3, |tunnel| {
            tunnel.apply(&tunnel.peers(0..peers, Metric::Own));
            time(|| done(tunnel.rtnl.delete_link(tunnel.index)))
        })?;
    }
    Ok(())
}

fn from_nothing() -> io::Result<()> {
    for peers in [100, 1000, 5000, 20_000, 65_000] {
        let runs = if peers > 5000 { 3 } else { 7 };
        row(peers, "as a batch", runs, |tunnel| {
            let all = tunnel.peers(0..peers, Metric::Own);
            time(|| tunnel.apply(&all))
        })?;
        row(peers, "one by one", runs, |tunnel| {
            let all = tunnel.peers(0..peers, Metric::Own);
            time(|| all.iter().for_each(|one| tunnel.apply(&[*one])))
        })?;
        // The kernel takes minutes for more.
        if peers > 20_000 {
            continue;
        }
        let runs = if peers > 5000 { 1 } else { 3 };
        row(peers, "as a batch, all of one metric", runs, |tunnel| {
            let all = tunnel.peers(0..peers, Metric::None);
            time(|| tunnel.apply(&all))
        })?;
        row(
            peers,
            "as flannel: one metric, a socket for each",
            runs,
            |tunnel| {
                let all = tunnel.peers(0..peers, Metric::None);
                time(|| {
                    for one in &all {
                        let socket = Rtnl::open().expect("a socket can be opened");
                        socket.apply(&[*one]).into_iter().for_each(done);
                    }
                })
            },
        )?;
    }
    Ok(())
}

/// Prints the median of some runs, each with a tunnel of its own.
fn row(
    peers: u32,
    what: &str,
    runs: usize,
    run: impl Fn(&Tunnel) -> Duration + Sync,
) -> io::Result<()> {
    let once = || {
        unshare(CloneFlags::CLONE_NEWNET).expect("the runner gives the right to namespaces");
        run(&Tunnel::new())
    };
    let timed = |_| thread::scope(|scope| scope.spawn(once).join().expect("a run succeeds"));
    let mut times: Vec<Duration> = (0..runs).map(timed).collect();
    times.sort();
    let median = times[runs / 2].as_secs_f64() * 1e3;
    writeln!(
        io::stdout(),
        "{peers:>6} peers  {what:<42} {median:>10.2} ms"
    )
}

fn time(timed: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    timed();
    begin.elapsed()
}

fn done(outcome: Result<(), net::Error>) {
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

enum Metric {
    Own,
    None,
}

/// A VXLAN device in a namespace of its own.
struct Tunnel {
    rtnl: Rtnl,
    index: u32,
}

impl Tunnel {
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
        let local = Ipv4Addr::new(192, 0, 2, 1).into();
        let address = IpNetwork::new(local, 24).expect("24 is a length");
        done(rtnl.add_address(below, address, true));
        done(rtnl.create_vxlan(&NewVxlan {
            name: "podwire.1",
            vni: 1,
            port: 8472,
            local,
            device: Some(below),
            mac: Mac::new([2, 0, 0, 0, 0, 3]),
            mtu: None,
            udp_checksum: false,
            up: true,
        }));
        let links = rtnl.vxlans().expect("links can be listed");
        let index = links[0].index;
        Self { rtnl, index }
    }

    fn apply(&self, requests: &[Request]) {
        self.rtnl.apply(requests).into_iter().for_each(done);
    }

    fn peers(&self, numbers: std::ops::Range<u32>, metric: Metric) -> Vec<Request> {
        let metric = |n| match metric {
            Metric::Own => Some(n + 1),
            Metric::None => None,
        };
        numbers.flat_map(|n| self.peer(n, metric(n))).collect()
    }

    fn peer(&self, n: u32, metric: Option<u32>) -> [Request; 3] {
        let link = self.index;
        let gateway = IpAddr::from(Ipv4Addr::from((10 << 24) + (n << 8)));
        let [a, b, c, d] = n.to_be_bytes();
        let mac = Mac::new([2, 1, a, b, c, d]);
        let subnet = IpNetwork::new(gateway, 24).expect("24 is a length");
        let route = Route {
            gateway: Some(gateway),
            oif: Some(link),
            priority: metric,
            onlink: true,
            ..Route::to(subnet)
        };
        let underlay = Ipv4Addr::from((172 << 24) + n).into();
        [
            Request::SetNeighbour(Neighbour {
                link,
                ip: gateway,
                mac,
            }),
            Request::SetFdb(FdbEntry::new(link, mac, underlay)),
            Request::AddRoute(RouteEntry {
                route,
                protocol: 84,
            }),
        ]
    }

    fn audit(&self, peers: u32) {
        let routes = self.rtnl.route_entries(Some(self.index), Some(84));
        let counts = [
            routes.map(|list| list.len()),
            self.rtnl.neighbours(self.index).map(|list| list.len()),
            self.rtnl.fdb(self.index).map(|list| list.len()),
        ];
        for count in counts {
            let count = count.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(u32::try_from(count), Ok(peers));
        }
    }
}
