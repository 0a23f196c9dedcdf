// SPDX-License-Identifier: Apache-2.0
//! What the agent serves over HTTP: whether it is alive, whether it is ready, and what it counts.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use integration_tests::binaries::workspace;
use integration_tests::http::{Answer, get, request_raw, until};
use integration_tests::{Agent, Fleet, Node, PATIENCE, Place, Stack, ping};
use serde_json::{Value, json};

const NODES: &str = "/run/lab/nodes.json";
const ARGS: [&str; 4] = ["--nodes", NODES, "--http", "127.0.0.1:8474"];

fn server() -> SocketAddr {
    "127.0.0.1:8474".parse().expect("an address and a port")
}

fn ask(node: &Place, path: &str) -> Answer {
    get(node, server(), path, PATIENCE).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Waits until a figure is as it should be: the text may be a second old.
fn wait_for(node: &Place, series: &str, wanted: impl Fn(f64) -> bool) {
    until(node, server(), "/metrics", PATIENCE, |answer| {
        answer.sample(series).is_some_and(&wanted)
    });
}

/// A cluster of IPv4, and the agent of its first node.
fn agent(count: u8, args: &[&str]) -> (Fleet, Agent) {
    let fleet = Fleet::new(count, Stack::V4);
    let node = &fleet.members[0].node;
    node.write(NODES, fleet.nodes_json());
    let agent = Agent::converged(node, args);
    (fleet, agent)
}

#[test]
fn it_is_alive_before_it_is_ready() {
    let fleet = Fleet::new(2, Stack::V4);
    let node = &fleet.members[0].node;
    let agent = Agent::start(node, &ARGS);
    assert!(agent.says("cannot read", PATIENCE), "{}", agent.log());
    let health = ask(node, "/healthz");
    assert_eq!(health.status, 200, "{health:?}");
    assert!(health.body.starts_with("the loop turned "), "{health:?}");
    let ready = ask(node, "/readyz");
    assert_eq!(ready.status, 503, "{ready:?}");
    assert!(ready.body.contains(NODES), "{ready:?}");
    // A list that is known and can't be programmed does not make it ready.
    node.ip("link add podwire.1 type veth peer name other");
    node.write(NODES, fleet.nodes_json());
    let thwarted = until(node, server(), "/readyz", PATIENCE, |answer| {
        answer.body.contains("has the name \"podwire.1\"")
    });
    assert_eq!(thwarted.status, 503, "{thwarted:?}");
    node.ip("link delete podwire.1");
    let is_ready = |answer: &Answer| answer.status == 200;
    until(node, server(), "/readyz", PATIENCE, is_ready);
    assert_eq!(agent.state().unwrap()["converged"], true);
    // The overlay stays, whatever becomes of the list.
    node.run(|| fs::remove_file(NODES)).unwrap();
    let unusable = "podwire_list_readings_total{outcome=\"unusable\"}";
    wait_for(node, unusable, |count| count >= 2.0);
    assert!(is_ready(&ask(node, "/readyz")));
}

#[test]
fn figures_are_those_of_the_kernel() {
    let fleet = Fleet::new(3, Stack::Dual);
    let members = &fleet.members[..2];
    let attached = members.iter().map(|member| {
        member.node.write(NODES, fleet.nodes_json());
        let agent = Agent::converged(&member.node, &ARGS);
        let network = member.bridge().followed_by(json!({"type": "vxlan"}));
        (agent, member.attach(&network))
    });
    let attached: Vec<_> = attached.collect();
    let node = &members[0].node;
    for (series, value) in [
        ("podwire_build_info{version=\"0.1.0\"}", 1.0),
        ("podwire_peers_wished", 2.0),
        ("podwire_peers_programmed", 2.0),
        ("podwire_peers_differing", 0.0),
        ("podwire_errors", 0.0),
        ("podwire_converged", 1.0),
        ("podwire_list_partial", 0.0),
        ("podwire_list_readings_total{outcome=\"believed\"}", 1.0),
        ("podwire_operations_total{operation=\"create_device\"}", 2.0),
        (
            "podwire_reconcile_duration_seconds_count{cause=\"list\"}",
            1.0,
        ),
        ("podwire_repairs_total{cause=\"audit\"}", 0.0),
        (
            "podwire_guard_dropped_packets_total{from=\"strangers\"}",
            0.0,
        ),
    ] {
        wait_for(node, series, |is| is == value);
    }
    let before = counted(node, "tx", "packets");
    for _ in 0..5 {
        let to = attached[1].1.ipv4("eth0");
        assert!(ping(&attached[0].1, to, PATIENCE));
    }
    assert!(counted(node, "tx", "packets") >= before + 5.0);
    for (name, (direction, counter)) in [
        ("transmit_packets", ("tx", "packets")),
        ("receive_packets", ("rx", "packets")),
        ("transmit_bytes", ("tx", "bytes")),
        ("receive_bytes", ("rx", "bytes")),
        ("transmit_dropped", ("tx", "dropped")),
        ("transmit_carrier_errors", ("tx", "carrier_errors")),
    ] {
        let series = format!("podwire_device_{name}_total{{device=\"podwire.1\"}}");
        wait_for(node, &series, |is| is == counted(node, direction, counter));
    }
}

/// A counter of the device as `ip` shows it.
fn counted(node: &Node, direction: &str, name: &str) -> f64 {
    let links = node.ip("-json -statistics link show podwire.1");
    let links: Value = serde_json::from_str(&links).expect("ip prints JSON");
    let value = links[0]["stats64"][direction][name].as_f64();
    value.unwrap_or_else(|| panic!("{direction} {name}: {links}"))
}

#[test]
fn repairs_and_dropped_packets_are_counted() {
    let (fleet, _agent) = agent(2, &ARGS);
    let node = &fleet.members[0].node;
    let stranger = fleet.add_host(99);
    stranger.run(|| {
        let socket = UdpSocket::bind("192.0.2.99:0").unwrap();
        for _ in 0..3 {
            socket.send_to(b"not one of us", "192.0.2.11:8472").unwrap();
        }
    });
    let dropped = "podwire_guard_dropped_packets_total{from=\"strangers\"}";
    wait_for(node, dropped, |is| is == 3.0);
    node.ip("route delete 10.200.2.0/24");
    wait_for(
        node,
        "podwire_repairs_total{cause=\"notification\"}",
        |is| is == 1.0,
    );
    let added = "podwire_operations_total{operation=\"add_route\"}";
    wait_for(node, added, |is| is == 2.0);
    // What cannot be is told of, and counted as an entry that is left out.
    let bad = fleet.nodes_json().replace("10.200.2.0/24", "172.16.0.0/24");
    node.write(NODES, bad);
    let complaints = "podwire_list_complaints{consequence=\"kept\"}";
    wait_for(node, complaints, |is| is == 1.0);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let fleet = Fleet::new(2, Stack::V4);
    let node = &fleet.members[0].node;
    node.write(NODES, fleet.nodes_json());
    let taken = node.run(|| TcpListener::bind("127.0.0.1:8474")).unwrap();
    for address in ["127.0.0.1:8474", ":8474"] {
        let ended = Agent::start(node, &["--nodes", NODES, "--http", address]).wait();
        assert!(!ended.status.success());
        let told = format!("cannot serve health and metrics at {address}: Address ");
        assert!(ended.log.contains(&told), "{}", ended.log);
    }
    // Nothing was done before.
    assert_eq!(node.interfaces(), ["eth0"]);
    drop(taken);
    Agent::converged(node, &ARGS);
}

#[test]
fn all_addresses_are_those_of_both_families() {
    let (fleet, _agent) = agent(2, &["--nodes", NODES, "--http", ":8474"]);
    for address in ["127.0.0.1:8474", "[::1]:8474", "192.0.2.11:8474"] {
        let address = address.parse().unwrap();
        let answer = get(&fleet.members[0].node, address, "/healthz", PATIENCE);
        assert_eq!(answer.unwrap().status, 200, "{address}");
    }
    let from_outside = "192.0.2.11:8474".parse().unwrap();
    get(&fleet.members[1].node, from_outside, "/readyz", PATIENCE).unwrap();
}

#[test]
fn nothing_is_served_unless_it_is_wanted() {
    let (fleet, agent) = agent(2, &ARGS[..2]);
    let sockets = fleet.members[0].node.tool("ss", "-H -l -n -t");
    assert_eq!(sockets, "", "{}", agent.log());
}

#[test]
fn nonsense_is_refused_and_does_no_harm() {
    let (fleet, agent) = agent(2, &ARGS);
    let node = &fleet.members[0].node;
    let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(1000));
    for (request, status) in [
        ("\r\n\r\nwhat?\r\n\r\n", 400),
        ("GET / HTTP/9.9\r\n\r\n", 400),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\r\n\r\n", 400),
        (&long, 431),
        (&many, 431),
        ("GET /metrics/../etc/passwd HTTP/1.1\r\n\r\n", 404),
        ("GET / HTTP/1.1\r\n\r\n", 404),
        ("DELETE /metrics HTTP/1.1\r\n\r\n", 405),
        (
            "POST /healthz HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
            405,
        ),
        ("HEAD /healthz HTTP/1.0\r\n\r\n", 200),
    ] {
        match request_raw(node, server(), request.as_bytes(), PATIENCE) {
            Ok(answer) => assert_eq!(answer.status, status, "{request:.60}: {answer:?}"),
            // It did not read to the end of what it refused.
            Err(error) => assert!([400, 431].contains(&status), "{request:.60}: {error}"),
        }
    }
    assert_eq!(ask(node, "/healthz").status, 200, "{}", agent.log());
}

/// Connections on which nothing is said, or a request is begun and not ended.
#[test]
fn a_hundred_idle_connections_keep_nobody_waiting() {
    let (fleet, agent) = agent(2, &ARGS);
    let node = &fleet.members[0].node;
    let idle = node.run(|| {
        let connect = |number| {
            let mut stream = TcpStream::connect(server()).unwrap();
            if number % 2 == 0 {
                // It may have been closed already.
                stream.write_all(b"GET /metrics HTTP/1.1\r\nx: ").ok();
            }
            stream
        };
        (0..100).map(connect).collect::<Vec<_>>()
    });
    node.ip("link delete podwire.1");
    assert!(agent.says("create device 1", PATIENCE), "{}", agent.log());
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(ask(node, path).status, 200);
    }
    let pid = agent.pid();
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    assert!(descriptors < 64, "{descriptors}");
    drop(idle);
}

#[test]
fn who_asks_for_open_metrics_gets_that() {
    let (fleet, _agent) = agent(2, &ARGS);
    let node = &fleet.members[0].node;
    let plain = ask(node, "/metrics");
    assert!(
        plain
            .head
            .contains("content-type: text/plain; version=0.0.4"),
        "{}",
        plain.head
    );
    assert!(
        plain
            .body
            .contains("# TYPE podwire_repairs_total counter\n"),
        "{}",
        plain.body
    );
    let request = "GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n\r\n";
    let open = request_raw(node, server(), request.as_bytes(), PATIENCE).unwrap();
    assert!(
        open.head
            .contains("content-type: application/openmetrics-text"),
        "{}",
        open.head
    );
    assert!(
        open.body.contains("# TYPE podwire_repairs counter\n"),
        "{}",
        open.body
    );
    assert!(open.body.ends_with("\n# EOF\n"), "{}", open.body);
}

/// The rows of the document's first table are the metrics of an agent that follows a file.
#[test]
fn the_document_has_a_row_for_each_metric() {
    let (fleet, _agent) = agent(2, &ARGS);
    let text = ask(&fleet.members[0].node, "/metrics").body;
    let exposed = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let exposed: BTreeSet<_> = exposed.map(str::to_owned).collect();
    let path = workspace().join("docs/metrics.md");
    let document = fs::read_to_string(path).unwrap();
    let (first, _) = document.split_once("## Of the API server").unwrap();
    let rows = first
        .lines()
        .filter_map(|line| line.strip_prefix("| `podwire_"));
    let rows = rows.map(|row| {
        let (name, rest) = row.split_once('`').unwrap();
        let name = name.split('{').next().unwrap();
        let kind = rest.split('|').nth(1).unwrap().trim();
        format!("podwire_{name} {kind}")
    });
    assert_eq!(rows.collect::<BTreeSet<_>>(), exposed);
}
