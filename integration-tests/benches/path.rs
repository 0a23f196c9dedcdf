// SPDX-License-Identifier: Apache-2.0
//! What the way between two pods on different nodes carries: through the overlay as it comes, with
//! parts of it left away, and through a VXLAN device made by hand with nothing else on the way.
//! Each round measures all of them in turn; the table has the medians. `make bench` installs iperf3.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use integration_tests::flannel::{self, Vtep};
use integration_tests::{Fleet, Member, Network, Place, Pod, Stack};
use net::Mac;
use serde_json::{Value, json};

const ROUNDS: usize = 5;
const SECONDS: &str = "2";
const EXCHANGES: usize = 20_000;

/// A way, and how the pods' networks are made that use it.
type Way = (&'static str, fn(&Fleet, &Member) -> Network);

const WAYS: [Way; 4] = [
    ("by hand, no rules", |fleet, member| {
        by_hand(fleet, member);
        member.bridge().with(&json!({"ipMasq": false}))
    }),
    ("by hand, ipMasq", |fleet, member| {
        by_hand(fleet, member);
        let cluster = json!({"nonMasqueradeCIDRs": [Fleet::NETWORK[0]]});
        member.bridge().with(&cluster)
    }),
    ("podwire, no source filter", |fleet, member| {
        fleet.conflist(member, &json!({"sourceFilter": false}))
    }),
    ("podwire", |fleet, member| {
        fleet.conflist(member, &json!({}))
    }),
];

fn main() -> io::Result<()> {
    let lines = WAYS.map(|(_, make)| Line::new(make));
    let mut samples = WAYS.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (line, samples) in lines.iter().zip(&mut samples) {
            samples.push(line.measure());
        }
    }
    let mut out = io::stdout().lock();
    writeln!(out, "| way | TCP, one stream | 64-byte UDP | round trip |")?;
    writeln!(out, "|---|---|---|---|")?;
    for ((way, _), samples) in WAYS.iter().zip(&samples) {
        let median = |part: fn(&Sample) -> f64| {
            let mut values: Vec<_> = samples.iter().map(part).collect();
            values.sort_by(f64::total_cmp);
            values[ROUNDS / 2]
        };
        writeln!(
            out,
            "| {way} | {:.1} Gbit/s | {:.0} /s | {:.1} µs |",
            median(|it| it.stream) / 1e9,
            median(|it| it.datagrams),
            median(|it| it.round_trip) * 1e6
        )?;
    }
    Ok(())
}

/// What flannel makes on a node, towards all other members.
fn by_hand(fleet: &Fleet, member: &Member) {
    let vteps = |member: &Member| Vtep {
        underlay: member.underlay()[0],
        mac: Mac::new([2, 0, 0, 0, 0, member.name.as_bytes()[1]]),
        pods: member.pod_cidrs()[0],
    };
    flannel::device(&member.node, &vteps(member), 1);
    let others = fleet.members.iter().filter(|it| it.name != member.name);
    others.for_each(|other| flannel::peer(&member.node, &vteps(other), 1));
}

/// Two nodes with a pod each, and a server in the second one.
struct Line {
    server: Server,
    address: IpAddr,
    pods: Vec<Pod>,
    _fleet: Fleet,
}

struct Sample {
    /// Bits per second.
    stream: f64,
    /// Datagrams that arrived, per second.
    datagrams: f64,
    /// Seconds.
    round_trip: f64,
}

impl Line {
    fn new(make: fn(&Fleet, &Member) -> Network) -> Self {
        let fleet = Fleet::new(2, Stack::V4);
        let attach = |member: &Member| member.attach(&make(&fleet, member));
        let pods: Vec<_> = fleet.members.iter().map(attach).collect();
        Self {
            server: Server::start(&pods[1]),
            address: pods[1].ipv4("eth0"),
            pods,
            _fleet: fleet,
        }
    }

    fn measure(&self) -> Sample {
        let stream = self.iperf3(&[]);
        let datagrams = self.iperf3(&["--udp", "--bitrate", "0", "--length", "64"]);
        let number = |value: &Value| value.as_f64().expect("iperf3 tells numbers");
        let sum = &datagrams["end"]["sum"];
        Sample {
            stream: number(&stream["end"]["sum_received"]["bits_per_second"]),
            datagrams: (number(&sum["packets"]) - number(&sum["lost_packets"]))
                / number(&sum["seconds"]),
            round_trip: round_trip(&self.pods[0], &self.pods[1], self.address),
        }
    }

    fn iperf3(&self, more: &[&str]) -> Value {
        assert!(self.server.0.stdout.is_some(), "the server is there");
        let address = self.address.to_string();
        let mut client = Command::new("iperf3");
        client.args(["--json", "--time", SECONDS, "--client", &address]);
        let outcome = self.pods[0].output(client.args(more));
        assert!(outcome.success(), "iperf3: {outcome}");
        serde_json::from_str(&outcome.stdout).expect("iperf3 prints JSON")
    }
}

/// An iperf3 that serves until it is dropped.
struct Server(Child);

impl Server {
    fn start(pod: &Place) -> Self {
        let mut child = pod.run(|| {
            let mut server = Command::new("iperf3");
            server.args(["--server", "--forceflush"]);
            let started = server.stdout(Stdio::piped()).spawn();
            started.expect("iperf3 is installed; `make bench` does that")
        });
        let stdout = child.stdout.as_mut().expect("it is piped");
        let mut lines = BufReader::new(stdout).lines();
        let listens = |line: &io::Result<String>| {
            let line = line.as_deref().unwrap_or_default();
            line.starts_with("Server listening")
        };
        assert!(lines.any(|line| listens(&line)), "iperf3 does not listen");
        Self(child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The mean time in seconds from a byte to its answer, by a connection without anything else on it.
fn round_trip(client: &Place, server: &Place, address: IpAddr) -> f64 {
    let listener = server
        .run(|| TcpListener::bind((address, 0)))
        .expect("the pod has its address");
    let to = listener.local_addr().expect("it is bound");
    let answering = thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let mut byte = [0];
        while stream.read(&mut byte)? > 0 {
            stream.write_all(&byte)?;
        }
        io::Result::Ok(())
    });
    let mut asking = client.run(|| TcpStream::connect(to)).expect("pods talk");
    asking.set_nodelay(true).expect("it is TCP");
    let begin = Instant::now();
    for _ in 0..EXCHANGES {
        asking.write_all(&[1]).expect("the connection stays");
        asking.read_exact(&mut [0]).expect("the connection stays");
    }
    let exchanges = u32::try_from(EXCHANGES).expect("it is a small number");
    let each = begin.elapsed() / exchanges;
    drop(asking);
    let ended = answering.join().expect("it does not panic");
    ended.expect("the connection ends in order");
    each.as_secs_f64()
}
