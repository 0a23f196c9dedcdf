// SPDX-License-Identifier: Apache-2.0
//! The plugin `bandwidth` behind `bridge`: what passes and what doesn't, counted in bytes. A rate of
//! ten bytes a second is none within a test: what passes is the burst, whatever the machine does.

mod bad;
mod check;
mod del;
mod interop;
mod objects;
mod packets;

use std::io::ErrorKind;
use std::net::{IpAddr, UdpSocket};
use std::thread;

use integration_tests::{BRIEFLY, Bench, Network, PATIENCE, Place, Pod};
use serde_json::{Value, json};

/// Bits a second that let nothing pass while a test lasts.
const CRAWL: u64 = 80;
/// The burst of limits, in bytes.
const BURST: u64 = 25_000;
/// Datagrams of a flood: more than passes and waits together, and no more than a socket holds that
/// nobody reads from meanwhile.
const FLOOD: usize = 80;
const PAYLOAD: [u8; 1000] = [7; 1000];
/// The largest frame of a flood: Ethernet, IPv6 and UDP.
const FRAME: u64 = 1000 + 14 + 40 + 8;

/// Network `pods` of the bench with the plugin behind it.
fn chain(bench: &Bench, keys: &Value) -> Network {
    let mut plugin = json!({"type": "bandwidth", "capabilities": {"bandwidth": true}});
    for (key, value) in keys.as_object().expect("keys are an object") {
        plugin[key] = value.clone();
    }
    bench.network.followed_by(plugin)
}

/// What the plugin reads, with these keys.
fn alone(keys: &Value) -> Value {
    let mut whole = json!({"cniVersion": "1.1.0", "name": "pods", "type": "bandwidth"});
    for (key, value) in keys.as_object().expect("keys are an object") {
        whole[key] = value.clone();
    }
    whole
}

/// A limit of one direction, `ingress` or `egress`, with the usual burst.
fn limit(direction: &str) -> Value {
    json!({format!("{direction}Rate"): CRAWL, format!("{direction}Burst"): BURST * 8})
}

fn limits() -> Value {
    json!({
        "ingressRate": CRAWL, "ingressBurst": BURST * 8,
        "egressRate": CRAWL, "egressBurst": BURST * 16,
    })
}

fn attach(bench: &Bench, network: &Network, name: &str) -> Pod {
    let pod = bench.node.pod(name);
    let added = bench.runner.add(network, &pod, "eth0");
    added.unwrap_or_else(|failure| panic!("{failure}"));
    pod
}

/// How many datagrams of a flood arrive: `expected` in any case, and what comes within a moment
/// after those.
fn flood(from: &Place, to: &Place, address: IpAddr, expected: usize) -> usize {
    let receiver = to
        .run(|| UdpSocket::bind((address, 9)))
        .expect("a pod has its address");
    let any: IpAddr = match address {
        IpAddr::V4(_) => [0; 4].into(),
        IpAddr::V6(_) => [0_u16; 8].into(),
    };
    let sender = from
        .run(|| UdpSocket::bind((any, 0)))
        .expect("a port is free");
    sender
        .set_write_timeout(Some(PATIENCE))
        .expect("it is not zero");
    sender
        .connect((address, 9))
        .unwrap_or_else(|error| panic!("{address}: {error}"));
    let sending = thread::spawn(move || {
        for _ in 0..FLOOD {
            sender.send(&PAYLOAD).expect("a queue takes or drops it");
        }
    });
    let mut arrived = 0;
    while arrived < FLOOD {
        let patience = if arrived < expected {
            PATIENCE
        } else {
            BRIEFLY
        };
        receiver
            .set_read_timeout(Some(patience))
            .expect("it is not zero");
        match receiver.recv(&mut [0; 2000]) {
            Ok(_) => arrived += 1,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            // A receiver with a timeout is interrupted when its machine is stopped and goes on.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("after {arrived} datagrams to {address}: {error}"),
        }
    }
    sending.join().expect("the sender has sent");
    arrived
}

/// Asserts that of a flood a burst of so many bytes passes, but for what neighbours said to each
/// other before.
fn assert_passes(from: &Place, to: &Place, address: IpAddr, burst: u64) {
    const NEIGHBOURS: u64 = 3000;
    let least = (burst - NEIGHBOURS) / FRAME;
    let arrived = flood(
        from,
        to,
        address,
        usize::try_from(least).expect("it is small"),
    );
    let bytes = u64::try_from(arrived).expect("it is small") * FRAME;
    // Of IPv4 a frame is 20 bytes shorter.
    let most = burst + burst / 40;
    assert!(
        (burst - NEIGHBOURS - FRAME..=most).contains(&bytes),
        "{bytes} bytes passed to {address}, not {burst}"
    );
}

fn assert_unlimited(from: &Place, to: &Place, address: IpAddr) {
    assert_eq!(flood(from, to, address, FLOOD), FLOOD, "to {address}");
}

/// The interfaces of a result, by name.
fn interfaces(result: &Value) -> Vec<&str> {
    let list = result["interfaces"].as_array();
    let names = list.into_iter().flatten().map(|it| it["name"].as_str());
    names.map(|name| name.unwrap_or_default()).collect()
}

/// The ifbs of a node.
fn ifbs(node: &Place) -> Vec<String> {
    let mut names = node.interfaces();
    names.retain(|name| name.starts_with("bwp"));
    names
}
