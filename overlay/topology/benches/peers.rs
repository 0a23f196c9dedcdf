// SPDX-License-Identifier: Apache-2.0
//! The time that a list of nodes takes from the file to the requests for the kernel, for one
//! family: `cargo bench --package podwire-topology`.

use std::hint::black_box;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use serde_json::json;
use topology::{Cluster, Family, Held, NodeList, Settings, Wish, difference};

const SIZES: [u32; 3] = [5_000, 20_000, 65_000];
const RUNS: usize = 7;

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "fastest of {RUNS} runs, in milliseconds")?;
    writeln!(
        out,
        "{:>7} {:>7} {:>8} {:>7} {:>9} {:>10}",
        "nodes", "parse", "cluster", "wish", "from none", "no change"
    )?;
    for size in SIZES {
        let mut runs: Vec<[Duration; 5]> = (0..RUNS).map(|_| run(size)).collect();
        write!(out, "{size:>7}")?;
        for (column, width) in [7, 8, 7, 9, 10].into_iter().enumerate() {
            runs.sort_by_key(|run| run[column]);
            let fastest = runs[0][column].as_secs_f64() * 1e3;
            write!(out, " {fastest:>width$.1}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn run(size: u32) -> [Duration; 5] {
    let json = nodes(size).to_string();
    let settings = Settings {
        network: vec!["10.0.0.0/8".parse().expect("a network")],
        ..Settings::default()
    };
    let (list, parse) = timed(|| NodeList::parse(json.as_bytes()).expect("a list"));
    let (cluster, assemble) = timed(|| Cluster::new("node-0", list.nodes, &settings));
    let (cluster, complaints) = cluster.expect("a good list");
    assert!(complaints.is_empty());
    let overlay = cluster.overlay(Family::V4).expect("IPv4");
    let (wish, wished) = timed(|| overlay.wish(7, &[]));
    let (change, from_none) = timed(|| difference(&wish, &Held::default()));
    assert_eq!(change.len(), 3 * (size as usize - 1));
    let held = held(&wish);
    let (change, unchanged) = timed(|| difference(&wish, &held));
    assert!(change.is_empty());
    [parse, assemble, wished, from_none, unchanged]
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = black_box(work());
    (result, start.elapsed())
}

fn nodes(size: u32) -> serde_json::Value {
    let node = |index: u32| {
        let underlay = Ipv4Addr::from_bits(u32::from(Ipv4Addr::new(172, 16, 0, 1)) + index);
        let pods = Ipv4Addr::from_bits(u32::from(Ipv4Addr::new(10, 0, 0, 0)) + (index << 8));
        json!({
            "name": format!("node-{index}"),
            "underlay": underlay.to_string(),
            "podCIDRs": [format!("{pods}/24")],
        })
    };
    (0..size).map(node).collect()
}

fn held(wish: &Wish) -> Held {
    Held {
        routes: wish.routes.iter().copied().map(Into::into).collect(),
        neighbours: wish.neighbours.iter().copied().map(Into::into).collect(),
        fdb: wish.fdb.iter().copied().map(Into::into).collect(),
    }
}
