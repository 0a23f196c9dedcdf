// SPDX-License-Identifier: Apache-2.0
//! Bad lists of nodes, bad settings, and an underlay that is gone: whoever wrote it reads what is
//! wrong with which entry, and connections that were there before go on without a loss.
#![cfg(test)]

mod agent;
mod plugin;

use std::net::IpAddr;
use std::time::Duration;

use integration_tests::{Fleet, Member, PATIENCE, Pod, Stream, changed};
use serde_json::{Value, json};

const PACE: Duration = Duration::from_millis(2);

/// Datagrams from the first pod to another one, by each family.
fn streams(pods: &[Pod], to: usize) -> Vec<Stream> {
    let addresses = pods[to].all_addresses().into_iter();
    let stream = |address| Stream::start(&pods[0], &pods[to], address, 9, PACE);
    addresses.map(stream).collect()
}

fn assert_nothing_lost(streams: Vec<Stream>) {
    for stream in streams {
        assert!(stream.wait_for(20, PATIENCE));
        let tally = stream.end();
        assert_eq!(tally.lost(), 0, "{tally:?}");
    }
}

/// An entry of the third node that can't be beside the others: the change, the words that name it,
/// and whether it is about IPv4.
fn bad_entries(fleet: &Fleet) -> Vec<(Value, [String; 2], bool)> {
    let mac = fleet.members[1].node.link("podwire.1").mac.to_string();
    let cases = [
        (
            "podCIDRs.0",
            json!("10.200.2.128/25"),
            "pod CIDR 10.200.2.128/25 overlaps 10.200.2.0/24 of node n2",
            true,
        ),
        (
            "podCIDRs.1",
            json!("fd00:200:0:2:8000::/65"),
            "overlaps fd00:200:0:2::/64 of node n2",
            false,
        ),
        (
            "podCIDRs.0",
            json!("10.201.3.0/24"),
            "10.201.3.0/24 is not within the network 10.200.0.0/16",
            true,
        ),
        (
            "underlay.0",
            json!("192.0.2.12"),
            "underlay address 192.0.2.12 is that of node n2",
            true,
        ),
        ("mac", json!(mac), "is that of node n2, too", true),
        (
            "underlay",
            json!(["192.0.2.13"]),
            "fd00:200:0:3::/64, but no IPv6 underlay address",
            false,
        ),
        (
            "underlay.1",
            json!("ff02::1"),
            "ff02::1 is not the address of a host",
            false,
        ),
    ];
    let case = |(key, value, words, v4): (&str, Value, &str, bool)| {
        let nodes = changed(&fleet.nodes(), &format!("2.{key}"), value);
        (nodes, ["node n3".to_owned(), words.to_owned()], v4)
    };
    cases.into_iter().map(case).collect()
}

/// A list of 65,000 nodes, the members of the cluster among them, for IPv4.
fn many(fleet: &Fleet) -> Value {
    let numbers = (0_u32..).map(|number| (number, number >> 8, number & 255));
    // The members' pods are there.
    let free = numbers.filter(|(_, high, _)| *high != 200);
    let far = free.map(|(number, high, low)| {
        let underlay = IpAddr::from((0xc612_0000 + number).to_be_bytes()).to_string();
        let cidr = format!("10.{high}.{low}.0/24");
        json!({"name": format!("far{number}"), "underlay": underlay, "podCIDRs": cidr})
    });
    let members = fleet.members.iter().map(Member::entry);
    members.chain(far).take(65_000).collect()
}
