// SPDX-License-Identifier: Apache-2.0
//! What an ADD of `vxlan` costs that finds all as the one before has left it, from the start of its
//! process to the end, beside a process that does nothing: by a list of 10, 5,000 and 20,000 nodes,
//! and with an agent. The same for the first one, which programs them all.
//!
//! The executables are those of PODWIRE_PLUGINS, and should be a release build's.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use integration_tests::{Execution, LoneNode, Network, Pod, binaries};
use serde_json::json;

const RUNS: usize = 300;
const LIST: &str = "/run/nodes/nodes.json";

fn main() -> io::Result<()> {
    let site = LoneNode::new();
    let network = Network::of_lone_node(&json!({"nodesFile": LIST}));
    let pod = site.runner.attach(&network.first_plugin(), &site.node);
    let nothing = Execution::new(binaries::plugins().join("loopback"));
    row(
        &site,
        "VERSION of loopback",
        &nothing.env("CNI_COMMAND", "VERSION"),
    )?;
    for nodes in [10, 5_000, 20_000] {
        write(&site, nodes - 1);
        let first = timed(&site, &add(&site, &network, &pod));
        line(&format!("first ADD, {nodes} nodes"), first, first)?;
        row(
            &site,
            &format!("ADD, {nodes} nodes"),
            &add(&site, &network, &pod),
        )?;
    }
    let agent = integration_tests::Agent::converged(&site.node, &["--nodes", LIST]);
    let network = network.with_at(1, &json!({"nodesFile": null}));
    row(&site, "ADD, with an agent", &add(&site, &network, &pod))?;
    drop(agent);
    Ok(())
}

fn add(site: &LoneNode, network: &Network, pod: &Pod) -> Execution {
    site.vxlan(&site.runner, network, pod)
}

fn write(site: &LoneNode, peers: u32) {
    let list = json!({"network": ["10.200.0.0/16", "11.0.0.0/8"], "nodes": LoneNode::nodes(peers)});
    site.node.write(LIST, list.to_string());
}

fn timed(site: &LoneNode, call: &Execution) -> Duration {
    site.node.run(|| {
        let begun = Instant::now();
        let outcome = call.run_here();
        let time = begun.elapsed();
        assert!(outcome.success(), "{outcome}");
        time
    })
}

/// The median and the fastest; the first one, which may still find something new, is not counted.
fn row(site: &LoneNode, what: &str, call: &Execution) -> io::Result<()> {
    timed(site, call);
    let mut times: Vec<_> = (0..RUNS).map(|_| timed(site, call)).collect();
    times.sort();
    line(what, times[RUNS / 2], times[0])
}

fn line(what: &str, median: Duration, fastest: Duration) -> io::Result<()> {
    let [median, fastest] = [median, fastest].map(|time| time.as_secs_f64() * 1e3);
    let what = format!("{what:<24} median {median:8.3} ms, fastest {fastest:8.3} ms");
    writeln!(io::stdout(), "{what}")
}
