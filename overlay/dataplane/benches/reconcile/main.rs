// SPDX-License-Identifier: Apache-2.0
//! What a call costs: all peers from nothing, beside flannel's way; one that comes, goes or
//! changes; a look without differences; and all of it taken away. Each figure is the median of
//! runs in new namespaces. `PEERS` limits the size of the clusters.

mod flannel;
mod lab;

use std::fs;
use std::io::{self, Write};

use lab::{call, in_namespace, row, time};
use nft::Nft;

fn main() -> io::Result<()> {
    // First, as the peak of the whole process is told.
    memory(5000)?;
    let largest = std::env::var("PEERS").map_or(65_000, |it| it.parse().expect("a number"));
    for peers in [1000, 5000, 20_000, 65_000] {
        if peers <= largest {
            whole(peers)?;
            single(peers)?;
            guard(peers)?;
        }
    }
    Ok(())
}

fn whole(peers: u32) -> io::Result<()> {
    let runs = if peers > 5000 { 3 } else { 7 };
    let ours = row(peers, "all from nothing", runs, |lab| lab.reconcile(peers))?;
    // Its cost is the square of the number of peers.
    if peers <= 5000 {
        let what = "all from nothing, as flannel does";
        let flannels = row(peers, what, 3, |lab| flannel::program(lab, peers))?;
        let times = flannels.processor.as_secs_f64() / ours.processor.as_secs_f64();
        writeln!(
            io::stdout(),
            "{peers:>6} peers  that is {times:.1} times as much"
        )?;
    }
    row(peers, "nothing to do", runs, |lab| {
        lab.reconcile(peers);
        lab.reconcile(peers)
    })?;
    row(peers, "an audit", runs, |lab| {
        lab.reconcile(peers);
        let cluster = lab.cluster(0..=peers);
        call(|| lab.dataplane().audit(&cluster))
    })?;
    row(peers, "all of it removed", runs, |lab| {
        lab.reconcile(peers);
        call(|| lab.dataplane().remove())
    })?;
    Ok(())
}

/// One peer among the others.
fn single(peers: u32) -> io::Result<()> {
    let runs = if peers > 5000 { 3 } else { 9 };
    row(peers, "one more, by a look at all", runs, |lab| {
        lab.reconcile(peers);
        lab.reconcile(peers + 1)
    })?;
    for (what, before, after) in [
        ("one more, followed", peers, peers + 1),
        ("one less, followed", peers + 1, peers),
    ] {
        row(peers, what, runs, |lab| {
            lab.reconcile(before);
            let [before, after] = [before, after].map(|count| lab.cluster(0..=count));
            call(|| lab.dataplane().follow(&before, &after))
        })?;
    }
    row(peers, "one moved, followed", runs, |lab| {
        lab.reconcile(peers);
        let before = lab.cluster(0..=peers);
        let after = lab.moved(peers);
        call(|| lab.dataplane().follow(&before, &after))
    })?;
    Ok(())
}

/// The ruleset's part.
fn guard(peers: u32) -> io::Result<()> {
    let runs = if peers > 5000 { 3 } else { 9 };
    for (what, before, after) in [
        ("guarded from nothing", 0, peers),
        ("a guard that is right", peers, peers),
        ("one more, guard followed", peers, peers + 1),
        ("one less, guard followed", peers + 1, peers),
    ] {
        row(peers, what, runs, |lab| {
            let mut nft = Nft::open().expect("the kernel has nf_tables");
            let mut guard = lab.guard(&mut nft);
            let [before, after] = [before, after].map(|count| lab.cluster(0..=count));
            guard.ensure(&before, &[]).expect("the kernel takes it");
            let is_one = before.peers().len().abs_diff(after.peers().len()) == 1;
            let (cost, done) = time(|| match is_one {
                true => guard.follow(&before, &after, &[]),
                false => guard.ensure(&after, &[]),
            });
            done.expect("the kernel takes it");
            cost
        })?;
    }
    Ok(())
}

/// What a process holds that has read a list and programmed it.
fn memory(peers: u32) -> io::Result<()> {
    let (status, _) = in_namespace(|lab| {
        let cluster = lab.cluster(0..=peers);
        call(|| lab.dataplane().reconcile(&cluster));
        call(|| lab.dataplane().audit(&cluster));
        fs::read_to_string("/proc/self/status")
    });
    let status = status?;
    for (key, what) in [("VmRSS:", "resident"), ("VmHWM:", "resident at the most")] {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let size = line.unwrap_or("unknown").trim();
        writeln!(io::stdout(), "{peers:>6} peers  {what:<34} {size:>13}")?;
    }
    Ok(())
}
