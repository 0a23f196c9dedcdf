// SPDX-License-Identifier: Apache-2.0
//! What is counted is true, and the document has it.

use std::collections::BTreeSet;
use std::fs;
use std::net::UdpSocket;

use integration_tests::binaries::workspace;
use integration_tests::http::request_raw;
use integration_tests::{Agent, Fleet, Node, PATIENCE, Stack, ping};
use serde_json::{Value, json};

use crate::{ARGS, NODES, agent, ask, server, wait_for};

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
